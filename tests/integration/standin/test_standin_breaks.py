"""Timeouts and cancelling while a statement sleeps, computes or streams; the connection works afterwards."""

import asyncio
import contextlib
import threading
import time
from typing import Any

import oracledb
import pytest

from tests.integration.standin.conftest import RunningStandin
from tests.support.waiting import until

_SLEEPS = "select qg_sleep(:s) from dual"
_COMPUTES = "select count(*) from big_rows a, big_rows b where a.row_id + b.row_id = 7"
_SORTS = "select * from big_rows order by amount, reference"
_LONG_S = 20.0


def _run(connection: oracledb.Connection, sql: str) -> None:
    cursor = connection.cursor()
    cursor.execute(sql, [60] if ":s" in sql else [])
    cursor.fetchall()


def test_qg_sleep_sleeps_and_yields_its_argument(connection: oracledb.Connection) -> None:
    start = time.monotonic()
    assert connection.cursor().execute(_SLEEPS, s=0.2).fetchone() == (0.2,)
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("sql", [_SLEEPS, _COMPUTES])
def test_call_timeout(connection: oracledb.Connection, sql: str) -> None:
    for _ in range(3):
        connection.call_timeout = 150
        start = time.monotonic()
        with pytest.raises(oracledb.DatabaseError, match="DPY-4024"):
            _run(connection, sql)
        assert time.monotonic() - start < _LONG_S
        connection.call_timeout = 0
        assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


@pytest.mark.parametrize("sql", [_SLEEPS, _COMPUTES, _SORTS])
def test_cancel_from_another_thread(connection: oracledb.Connection, sql: str) -> None:
    timer = threading.Timer(0.2, connection.cancel)
    timer.start()
    with pytest.raises(oracledb.DatabaseError) as error:
        _run(connection, sql)
    timer.join()
    assert error.value.args[0].full_code == "ORA-01013"
    assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


@pytest.mark.parametrize("sql", [_SLEEPS, _COMPUTES])
async def test_cancel_of_the_async_driver(async_connection: oracledb.AsyncConnection, sql: str) -> None:
    for _ in range(3):
        call = asyncio.ensure_future(async_connection.fetchall(sql, [60] if ":s" in sql else []))
        await asyncio.sleep(0.1)
        async_connection.cancel()
        with pytest.raises(oracledb.DatabaseError) as error:
            await call
        assert error.value.args[0].full_code == "ORA-01013"
        assert await async_connection.fetchone("select 1 from dual") == (1,)


async def test_cancel_while_rows_stream(standin: RunningStandin) -> None:
    """On a connection each: after a cancel in the middle of rows the async driver of 26.1 may break off once more by
    itself, and takes what that leaves behind for its next answer. The gateway never uses such a session again."""
    for _ in range(3):
        connection = await standin.connect_async()
        cursor = connection.cursor()
        cursor.arraysize = cursor.prefetchrows = 1_000_000
        call = asyncio.ensure_future(cursor.execute("select * from big_rows"))
        await asyncio.sleep(0.1)
        connection.cancel()
        with pytest.raises(oracledb.DatabaseError) as error:
            await call
        assert error.value.args[0].full_code == "ORA-01013"
        with contextlib.suppress(oracledb.Error):
            await connection.close()
    async with await standin.connect_async() as other:
        assert await other.fetchone("select 1 from dual") == (1,)


def test_cancel_while_idle_fails_only_the_next_call(connection: oracledb.Connection) -> None:
    connection.cancel()
    with pytest.raises(oracledb.DatabaseError) as error:
        connection.cursor().execute("select 1 from dual")
    assert error.value.args[0].full_code == "ORA-01013"
    assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


async def test_a_slow_statement_holds_up_nobody(standin: RunningStandin) -> None:
    """More sleepers than the server has threads, and every other call is answered."""
    sleepers = [await standin.connect_async() for _ in range(30)]
    calls = [asyncio.ensure_future(connection.fetchone(_SLEEPS, [60])) for connection in sleepers]
    async with await standin.connect_async() as other:
        for key in range(50):
            assert await other.fetchone("select :k from dual", [key]) == (key,)
    for connection in sleepers:
        connection.cancel()
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(outcome, oracledb.DatabaseError)
    for connection in sleepers:
        await connection.close()


class Cable:
    """A TCP forwarder that can be cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += (writer, far_writer)
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer), return_exceptions=True)

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)


@pytest.mark.parametrize("sql", [_SLEEPS, _COMPUTES])
async def test_connections_that_vanish_leave_no_session(standin: RunningStandin, sql: str) -> None:
    before = standin.server.session_count
    async with Cable(standin.server.port) as port:
        dsn = f"127.0.0.1:{port}/FREEPDB1"
        connections = [await oracledb.connect_async(user="reader", password="reader-pw-1", dsn=dsn) for _ in range(8)]
        calls = [
            asyncio.ensure_future(connection.fetchone(sql, [60] if ":s" in sql else [])) for connection in connections
        ]
        async with await standin.connect_async() as watcher:
            await until(lambda: standin.server.active_count >= 8)
            await watcher.ping()
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(outcome, oracledb.DatabaseError)
    await until(lambda: standin.server.session_count <= before and standin.server.active_count == 0)


async def test_random_cancels_never_break_the_protocol(async_connection: oracledb.AsyncConnection) -> None:
    """The moment of the break wanders through the call, its end included."""
    cancelled = 0
    rows: Any
    answer: Any
    for step in range(120):
        call = asyncio.ensure_future(
            async_connection.fetchall("select * from big_rows where row_id <= :n", [200 + step])
        )
        await asyncio.sleep(step % 12 * 0.0008)
        async_connection.cancel()
        (rows,) = await asyncio.gather(call, return_exceptions=True)
        if isinstance(rows, oracledb.DatabaseError):
            assert rows.args[0].full_code == "ORA-01013"
            cancelled += 1
        else:
            assert len(rows) == 200 + step
        # A break that came too late fails the next call instead.
        next_call = async_connection.fetchone("select :s from dual", [step])
        (answer,) = await asyncio.gather(next_call, return_exceptions=True)
        if isinstance(answer, oracledb.DatabaseError):
            assert answer.args[0].full_code == "ORA-01013"
            answer = await async_connection.fetchone("select :s from dual", [step])
        assert answer == (step,)
    assert cancelled > 0
