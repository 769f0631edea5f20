"""Databases inside a Postgres server: make and drop, from code that has no event loop."""

import asyncio
import threading
from collections.abc import Coroutine
from urllib.parse import unquote, urlsplit

import asyncpg

from .servers.postgres import PostgresAddress

_CONNECT_TIMEOUT_S = 10.0
_STATEMENT_TIMEOUT_S = 60.0


def address_from(url: str) -> PostgresAddress:
    """The server of a `postgresql://user:password@host:port/...` URL. Raises ValueError when a part is missing."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.username is None:
        raise ValueError("a Postgres URL needs user and host: postgresql://user:password@host:5432/")
    return PostgresAddress(parts.hostname, parts.port or 5432, unquote(parts.username), unquote(parts.password or ""))


def create_database(address: PostgresAddress, name: str, *, template: str = "template1") -> str:
    """Make a database, a copy of `template` (to which nobody may be connected); returns its URL."""
    _execute(address, _creation(name, template))
    return address.url(name)


def drop_database(address: PostgresAddress, name: str) -> None:
    """Drop a database, ending its sessions."""
    _execute(address, _end(name))


def create_login(address: PostgresAddress, name: str, password: str, *, group: str) -> None:
    """Make a user that may sign in and has the rights of `group`. The password must not need quoting."""
    if "'" in password or "\\" in password:
        raise ValueError("the password needs quoting")
    _execute(address, f'CREATE ROLE "{name}" LOGIN PASSWORD \'{password}\' IN ROLE "{group}"')


def drop_login(address: PostgresAddress, name: str) -> None:
    """Drop a user that owns nothing."""
    _execute(address, f'DROP ROLE IF EXISTS "{name}"')


class Databases:
    """The same over one connection that stays open, on an event loop of its own: for making hundreds. Close it."""

    def __init__(self, address: PostgresAddress) -> None:
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="databases", daemon=True)
        self._thread.start()
        self._connection: asyncpg.Connection | None = None

    def create(self, name: str, *, template: str = "template1") -> str:
        """As `create_database`."""
        self._run(self._execute(_creation(name, template)))
        return self._address.url(name)

    def drop(self, name: str) -> None:
        """As `drop_database`."""
        self._run(self._execute(_end(name)))

    def close(self) -> None:
        """After the last one."""
        if self._connection is not None:
            self._run(self._connection.close(timeout=_CONNECT_TIMEOUT_S))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _execute(self, statement: str) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._address.url(), timeout=_CONNECT_TIMEOUT_S)
        await self._connection.execute(statement, timeout=_STATEMENT_TIMEOUT_S)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _creation(name: str, template: str) -> str:
    # FILE_COPY is twice as quick as the default on a server without fsync.
    return f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'


def _end(name: str) -> str:
    return f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'


def _execute(address: PostgresAddress, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(address.url(), timeout=_CONNECT_TIMEOUT_S)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    _finish(run())


def _finish(coroutine: Coroutine[None, None, None]) -> None:
    """Run to the end in a thread: the caller may be inside an event loop of its own."""
    failures: list[BaseException] = []

    def body() -> None:
        try:
            asyncio.run(coroutine)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            failures.append(error)

    thread = threading.Thread(target=body, name="database-statement")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
