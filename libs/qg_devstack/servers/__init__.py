"""Real servers on loopback ports: Postgres and Redis from pinned wheels, and the Oracle stand-in."""

from .postgres import PostgresAddress, PostgresOptions, PostgresServer
from .redis import RedisAddress, RedisOptions, RedisServer
from .standin import StandinAddress, StandinOptions, StandinServer

__all__ = [
    "PostgresAddress",
    "PostgresOptions",
    "PostgresServer",
    "RedisAddress",
    "RedisOptions",
    "RedisServer",
    "StandinAddress",
    "StandinOptions",
    "StandinServer",
]
