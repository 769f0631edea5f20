"""The embedded servers: what they refuse, what they keep, and that none outlives whoever started it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from qg_devstack.servers import PostgresAddress, PostgresServer, RedisOptions, RedisServer
from tests.fixtures.postgres import StartPostgres
from tests.fixtures.redis import StartRedis
from tests.support.waiting import wait_until


def has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def test_each_test_gets_an_empty_database_of_its_own(postgres_database: str) -> None:
    connection = await asyncpg.connect(postgres_database)
    try:
        tables = await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'")
        encoding = await connection.fetchval("show server_encoding")
    finally:
        await connection.close()
    assert (tables, encoding) == (0, "UTF8")


async def test_postgres_refuses_a_wrong_password(postgres_server: PostgresAddress) -> None:
    wrong = PostgresAddress(postgres_server.host, postgres_server.port, postgres_server.user, "not-the-password")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong.url())


def test_postgres_does_not_run_as_root(start_postgres: StartPostgres) -> None:
    assert psutil.Process(start_postgres().pid).uids().effective != 0


async def test_postgres_keeps_its_rows_when_stopped_killed_and_started(start_postgres: StartPostgres) -> None:
    server = start_postgres()
    connection = await asyncpg.connect(server.address.url())
    await connection.execute("create table kept (n int); insert into kept values (7)")
    await connection.close()
    for end in (server.stop, server.kill):
        end()
        assert server.poll() is not None
        server.start()
    connection = await asyncpg.connect(server.address.url())
    assert await connection.fetchval("select n from kept") == 7
    await connection.close()


def test_redis_refuses_a_wrong_password_and_evicts_nothing(redis_url: str) -> None:
    with Redis.from_url(redis_url) as connection:
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert connection.dbsize() == 0
        connection.set("left", "behind")
    host = redis_url.rsplit("@", 1)[1]
    with Redis.from_url(f"redis://:wrong@{host}") as connection, pytest.raises(AuthenticationError):
        connection.ping()


def test_redis_is_empty_again(redis_url: str) -> None:
    with Redis.from_url(redis_url) as connection:
        assert connection.dbsize() == 0


@pytest.mark.parametrize("append_only", [False, True])
def test_redis_keeps_keys_across_restarts_only_when_told_to(start_redis: StartRedis, append_only: bool) -> None:
    server = start_redis(RedisOptions(append_only=append_only))
    with Redis.from_url(server.address.url()) as connection:
        connection.set("n", "7")
    server.stop()
    server.start()
    with Redis.from_url(server.address.url()) as connection:
        assert connection.get("n") == (b"7" if append_only else None)


def test_no_password_is_on_a_command_line(start_postgres: StartPostgres, start_redis: StartRedis) -> None:
    postgres, redis = start_postgres(), start_redis()
    for pid, password in ((postgres.pid, postgres.address.password), (redis.pid, redis.address.password)):
        assert len(password) >= 16
        assert password not in " ".join(psutil.Process(pid).cmdline())
        assert all(password not in value for value in psutil.Process(pid).environ().values())


def test_servers_start_in_the_main_thread_only(tmp_path: Path) -> None:
    raised: list[BaseException] = []

    def body() -> None:
        try:
            RedisServer(tmp_path).start()
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


_STARTER = """
import sys, time
from pathlib import Path
from qg_devstack.servers import PostgresServer, RedisServer
postgres, redis = PostgresServer(Path(sys.argv[1])), RedisServer(Path(sys.argv[1]))
postgres.start(), redis.start()
print(postgres.pid, redis.pid, postgres.cluster, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no death signal outside Linux: `make dev-down` is the way there")
def test_servers_die_with_a_killed_parent(tmp_path: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    postgres, redis, cluster = starter.stdout.readline().split()
    children = psutil.Process(int(postgres)).children(recursive=True)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    wait_until(lambda: has_ended(int(postgres)) and has_ended(int(redis)), "both servers ended")
    wait_until(lambda: all(has_ended(child.pid) for child in children), "Postgres's own children ended")
    if os.geteuid() == 0:
        assert Path(cluster).is_dir()
        PostgresServer(tmp_path).remove()
        assert not Path(cluster).exists(), "the next server sweeps what a killed one left under /tmp"
