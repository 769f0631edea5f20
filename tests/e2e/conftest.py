"""Fleets on servers of the test run, and on servers that a test may kill."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from qg_devstack.databases import create_database, create_login
from qg_devstack.servers import PostgresServer, RedisServer, StandinAddress
from qg_store import migrate
from tests.e2e.fleet import Fleet
from tests.fixtures.postgres import StartPostgres
from tests.fixtures.redis import StartRedis
from tests.fixtures.store import StoreUrls

_PASSWORD = "p4ssw0rd-of-the-control-plane"


@pytest.fixture
def fleet(tmp_path: Path, store_urls: StoreUrls, redis_url: str, standin_server: StandinAddress) -> Iterator[Fleet]:
    """An empty fleet on the servers that all tests share."""
    started = Fleet(tmp_path, store_urls.app, redis_url, standin_server)
    try:
        yield started
    finally:
        started.stop()


@dataclass(frozen=True)
class Mortal:
    """A fleet whose servers belong to it, to be killed."""

    fleet: Fleet
    postgres: PostgresServer
    redis: RedisServer


@pytest.fixture
def mortal(
    tmp_path: Path, start_postgres: StartPostgres, start_redis: StartRedis, standin_server: StandinAddress
) -> Iterator[Mortal]:
    """An empty fleet on a Postgres and a Redis of its own."""
    postgres, redis = start_postgres(), start_redis()
    migrate.upgrade(create_database(postgres.address, "gateway"))
    create_login(postgres.address, "control_plane", _PASSWORD, group="qg_app")
    app_url = type(postgres.address)(postgres.address.host, postgres.address.port, "control_plane", _PASSWORD).url(
        "gateway"
    )
    fleet = Fleet(tmp_path, app_url, redis.address.url(), standin_server)
    try:
        yield Mortal(fleet, postgres, redis)
    finally:
        fleet.stop()
