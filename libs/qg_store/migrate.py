"""Migrations, usable from code that has no event loop and from code that has one."""

import asyncio
import threading
from collections.abc import Callable

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from qg_store.engine import CONNECT_TIMEOUT_S, asyncpg_url
from qg_store.migrations import roles
from qg_store.revisions import SCRIPTS

# Held for the transaction: two upgrades of one database take turns. The number is arbitrary, and ours.
_LOCK = 0x71675F6D
_LOCK_TIMEOUT_MS = 120_000


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database of `url` (`postgresql://`, a user who may act as owner) to `revision`, all or nothing."""
    _run(url, lambda connection: command.upgrade(_alembic(connection), revision))


def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision` (`base`: nothing left but the roles). Destroys what the tables held."""
    _run(url, lambda connection: command.downgrade(_alembic(connection), revision))


def current(url: str) -> str | None:
    """The revision the database is at, or None when it was never migrated."""
    found: list[str | None] = []
    _run(url, lambda connection: found.append(_current(connection)), prepare=False)
    return found[0]


def _alembic(connection: Connection) -> Config:
    options = Config()
    options.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    options.set_main_option("path_separator", "os")
    options.attributes["connection"] = connection
    return options


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _run(url: str, act: Callable[[Connection], object], *, prepare: bool = True) -> None:
    def step(connection: Connection) -> None:
        if prepare:
            connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            roles.prepare(connection)
        act(connection)

    async def run() -> None:
        engine = create_async_engine(asyncpg_url(url), poolclass=NullPool, connect_args={"timeout": CONNECT_TIMEOUT_S})
        try:
            async with engine.begin() as connection:
                await connection.run_sync(step)
        finally:
            await engine.dispose()

    _finish(run)


def _finish(run: Callable[[], object]) -> None:
    """Run to the end in a thread: the caller may be inside an event loop of its own."""
    failures: list[BaseException] = []

    def body() -> None:
        try:
            asyncio.run(run())  # type: ignore[arg-type]  # a coroutine function of this module
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            failures.append(error)

    thread = threading.Thread(target=body, name="migrate")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
