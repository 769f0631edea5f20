"""A stand-in in a thread of its own, so that both drivers, sync and async, can talk to it over TCP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import oracledb
import pytest

from qg_standin import StandinServer

T = TypeVar("T")
READER, READER_PASSWORD = "reader", "reader-pw-1"
WRITER, WRITER_PASSWORD = "qg_writer", "writer-pw-1"
_START_S = 30


class RunningStandin:
    """A server and the loop it runs on."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="standin-loop", daemon=True)
        self.server: StandinServer

    def start(self) -> None:
        self._thread.start()

        async def make() -> StandinServer:
            server = StandinServer(users={READER: READER_PASSWORD}, writers={WRITER: WRITER_PASSWORD}, **self._options)
            await server.start()
            return server

        self.server = asyncio.run_coroutine_threadsafe(make(), self._loop).result(_START_S)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(_START_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)
        self._loop.close()

    def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the server's loop: the only place from which faults may be switched."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_START_S)

    @property
    def dsn(self) -> str:
        return f"127.0.0.1:{self.server.port}/{self.server.service_name}"

    def connect(self, user: str = READER, password: str = READER_PASSWORD) -> oracledb.Connection:
        return oracledb.connect(user=user, password=password, dsn=self.dsn)

    async def connect_async(self, user: str = READER, password: str = READER_PASSWORD) -> oracledb.AsyncConnection:
        connection: oracledb.AsyncConnection = await oracledb.connect_async(user=user, password=password, dsn=self.dsn)
        return connection


@pytest.fixture(scope="module")
def standin() -> Iterator[RunningStandin]:
    running = RunningStandin(demo=True, scale=0.02)
    running.start()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def no_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    """Faults of one test never reach the next."""
    yield
    if "standin" in request.fixturenames:
        running: RunningStandin = request.getfixturevalue("standin")
        running.call(running.server.faults.clear)


@pytest.fixture
def connection(standin: RunningStandin) -> Iterator[oracledb.Connection]:
    with standin.connect() as opened:
        yield opened


@pytest.fixture
async def async_connection(standin: RunningStandin) -> AsyncIterator[oracledb.AsyncConnection]:
    async with await standin.connect_async() as opened:
        yield opened


@pytest.fixture
def writer(standin: RunningStandin) -> Iterator[oracledb.Connection]:
    with standin.connect(WRITER, WRITER_PASSWORD) as opened:
        yield opened


def columns_of(cursor: oracledb.Cursor) -> list[oracledb.FetchInfo]:
    """The described columns of a query."""
    assert cursor.description is not None
    return list(cursor.description)
