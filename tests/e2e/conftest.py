"""Fleets on servers of the test run, and on servers that a test may kill."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from qg_devstack.databases import create_database, create_login, drop_database, drop_login
from qg_devstack.servers import PostgresAddress, PostgresOptions, PostgresServer, RedisServer, StandinAddress
from qg_store import migrate
from tests.e2e.fleet import Admin, Fleet, Running
from tests.fixtures.postgres import StartPostgres
from tests.fixtures.redis import StartRedis
from tests.fixtures.store import StoreUrls

_PASSWORD = "p4ssw0rd-of-the-services"
_USERS = (("control_plane", "qg_app"), ("worker", "qg_worker"))


@pytest.fixture
def fleet(tmp_path: Path, store_urls: StoreUrls, redis_url: str, standin_server: StandinAddress) -> Iterator[Fleet]:
    """An empty fleet on the servers that all tests share."""
    started = Fleet(tmp_path, store_urls.app, store_urls.worker, redis_url, standin_server)
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
    # Durable: what a killed Postgres has confirmed must be there again.
    postgres, redis = start_postgres(PostgresOptions(fsync=True)), start_redis()
    migrate.upgrade(create_database(postgres.address, "gateway"))
    urls = [_login(postgres.address, "gateway", user, group) for user, group in _USERS]
    fleet = Fleet(tmp_path, urls[0], urls[1], redis.address.url(), standin_server)
    try:
        yield Mortal(fleet, postgres, redis)
    finally:
        fleet.stop()


@dataclass(frozen=True)
class Standing:
    """One control plane and one data plane for a whole module: made once, since starting them costs seconds."""

    fleet: Fleet
    control_plane: Running
    node: Running
    admin: Admin
    connection: str


@pytest.fixture(scope="module")
def standing(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresAddress, standin_server: StandinAddress
) -> Iterator[Standing]:
    """A running gateway with a connection to the stand-in; tests of one module share it."""
    directory = tmp_path_factory.mktemp("standing")
    name = f"standing_{secrets.token_hex(6)}"
    migrate.upgrade(create_database(postgres_server, name))
    users = [f"{name}_app", f"{name}_worker"]
    urls = [_login(postgres_server, name, user, group) for user, (_, group) in zip(users, _USERS, strict=True)]
    redis = RedisServer(tmp_path_factory.mktemp("standing-redis"))
    try:
        redis.start()
        fleet = Fleet(directory, urls[0], urls[1], redis.address.url(), standin_server)
        try:
            node = fleet.data_plane(ready=False)
            control_plane = fleet.control_plane()
            node.service.wait_ready()
            with fleet.admin(control_plane) as admin:
                yield Standing(fleet, control_plane, node, admin, admin.connection(standin_server))
        finally:
            fleet.stop()
    finally:
        redis.kill()
        drop_database(postgres_server, name)
        for user in users:
            drop_login(postgres_server, user)


def _login(server: PostgresAddress, database: str, user: str, group: str) -> str:
    """A user of one of the gateway's groups; the URL of the database as that user."""
    create_login(server, user, _PASSWORD, group=group)
    return PostgresAddress(server.host, server.port, user, _PASSWORD).url(database)
