"""`make dev` on servers of your own, and on ports that somebody else has."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import asyncpg
import pytest
from redis import Redis

from qg_devstack.servers import PostgresAddress, StandinAddress
from tests.e2e.dev_stack import STOP_TIMEOUT_S, Stack, free_base, running_stack


def databases_of(address: PostgresAddress) -> set[str]:
    async def ask() -> set[str]:
        connection = await asyncpg.connect(address.url())
        try:
            rows = await connection.fetch(
                "select datname as name from pg_database where datname like 'querygateway_dev_%'"
                " union all select rolname from pg_roles where rolname like 'qg_dev_%'"
            )
        finally:
            await connection.close()
        return {row["name"] for row in rows}

    return asyncio.run(ask())


@pytest.mark.long
def test_your_own_servers_are_used_and_left_as_they_were(
    tmp_path: Path, postgres_server: PostgresAddress, redis_url: str, standin_server: StandinAddress
) -> None:
    password_file = tmp_path / "oracle-password"
    password_file.write_text(standin_server.password)
    before = databases_of(postgres_server)
    with Redis.from_url(redis_url) as redis:
        redis.mset({"qg:head": "another gateway's", "somebody": "else's"})
    with running_stack(
        tmp_path,
        DATA_PLANES="1",
        DEV_POSTGRES_URL=postgres_server.url(),
        DEV_REDIS_URL=redis_url,
        DEV_ORACLE_HOST=standin_server.host,
        DEV_ORACLE_PORT=str(standin_server.port),
        DEV_ORACLE_SERVICE=standin_server.service_name,
        DEV_ORACLE_USER=standin_server.user,
        DEV_ORACLE_PASSWORD_FILE=str(password_file),
    ) as stack:
        pids = json.loads((stack.place / "stack.json").read_text())["pids"]
        assert (pids["postgres"], pids["redis"], pids["standin"]) == (None, None, None)
        assert len(pids["data_planes"]) == 1
        assert len(databases_of(postgres_server) - before) == 3, "a database and two users"
        stack.process.send_signal(signal.SIGTERM)
        stack.wait_for_line("Everything is stopped", STOP_TIMEOUT_S)
        assert stack.process.wait(timeout=10) == 0
    assert databases_of(postgres_server) == before
    with Redis.from_url(redis_url) as redis:
        assert redis.get("somebody") == b"else's"


def test_taken_ports_are_named_with_a_base_that_is_free(tmp_path: Path) -> None:
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 10))
        taken.listen()
        stack = Stack(tmp_path / ".dev", {"PORT_BASE": str(base)})
        stack.wait_for_line(f"Port {base + 10} (data plane 1) is in use.", STOP_TIMEOUT_S)
        stack.wait_for_line("This base is free: make dev PORT_BASE=", STOP_TIMEOUT_S)
        assert stack.process.wait(timeout=10) == 1
