"""One signed-in session of a pool and what is known about it."""

import asyncio
import contextlib

import oracledb

from qg_oracle.columns import Column
from qg_oracle.statements import Tags

CLOSE_TIMEOUT_MS = 1_000
"""Of each of the two steps of leaving a server that doesn't answer: ask, then break."""


class Session:
    """A driver connection with its history. Times are `time.monotonic()` seconds."""

    __slots__ = ("columns", "connection", "opened_at", "pooled", "returned_at")

    def __init__(self, connection: oracledb.AsyncConnection, now: float) -> None:
        self.connection = connection
        self.opened_at = now
        self.returned_at = now
        self.pooled = False
        """It has been in the pool before: a loss may be old and only show now."""
        self.columns: dict[str, tuple[Column, ...]] = {}
        """By statement text: the columns that this session's cached statement was last described with."""

    @property
    def healthy(self) -> bool:
        """False once the socket is known to be gone."""
        return self.connection.is_healthy()

    def show(self, tags: Tags) -> None:
        """Say in V$SESSION who uses it; goes out with the next round trip, so it costs none of its own.

        All of it each time: a function that a query calls may have set another module or client identifier.
        """
        connection = self.connection
        connection.client_identifier = tags.client_identifier
        connection.module = tags.module
        connection.action = tags.action

    def show_nobody(self) -> None:
        """The same for work that is nobody's: a ping, a describe."""
        connection = self.connection
        # None and not "": an empty text leaves a stray byte in the message.
        connection.client_identifier = None  # type: ignore[assignment]  # the driver takes None
        connection.module = None  # type: ignore[assignment]  # as above
        connection.action = None  # type: ignore[assignment]  # as above

    def cancel(self) -> None:
        """Ask the database to give up the running call; its owner sees how that ends."""
        if self.connection.is_healthy():  # see limit_round_trips
            self.connection.cancel()

    async def close(self) -> None:
        """Log off, within two seconds even when the server doesn't answer (then the socket is just closed)."""
        limit_round_trips(self.connection, CLOSE_TIMEOUT_MS)
        with contextlib.suppress(oracledb.Error, OSError, asyncio.InvalidStateError):
            await self.connection.close()


def limit_round_trips(connection: oracledb.AsyncConnection, timeout_ms: int) -> None:
    """Bound each round trip of a connection; 0 for no bound.

    Setting `call_timeout` (and `cancel()`) on a connection whose socket is gone crashes the interpreter in 26.1, which
    is one reason why statements are bounded by the call's own timer.
    """
    if connection.is_healthy():
        connection.call_timeout = timeout_ms
