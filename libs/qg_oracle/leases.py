"""A call's hold on a session: waiting for one, proving it, giving it back or up."""

import asyncio

from qg_core.errors import DatabaseBusy
from qg_oracle.deadlines import Deadline
from qg_oracle.errors import FailureKind, classify
from qg_oracle.pool import Pool
from qg_oracle.sessions import Session, limit_round_trips

PING_TIMEOUT_MS = 1_500
"""A session that doesn't answer within that is dead; half of it is spent on breaking the ping."""


class Lease:
    """At most one session of a pool at a time; `session` is None while there is none."""

    __slots__ = ("_deadline", "_pool", "_waiter", "session")

    def __init__(self, pool: Pool, deadline: Deadline) -> None:
        self.session: Session | None = None
        self._pool = pool
        self._deadline = deadline
        self._waiter: asyncio.Future[Session] | None = None

    @property
    def waiting(self) -> bool:
        return self._waiter is not None

    async def acquire(self) -> Session:
        """A session that can be trusted with a statement; tries others as long as those it gets are dead.

        Waits at most half of what is left of the deadline and at most the connection's `pool_timeout`. Raises
        `DatabaseBusy` after that, what keeps the pool from opening sessions, or what `stop_waiting` was given.
        """
        while True:
            session = self._pool.take()
            if session is None:
                session = await self._wait()
            self.session = session
            if not self._pool.needs_proof(session) or await self._prove(session):
                return session

    def stop_waiting(self, error: Exception) -> None:
        """End a wait with `error`; without effect if the session is on its way already."""
        if self._waiter is not None:
            self._pool.give_up(self._waiter, error)

    def give_back(self) -> None:
        """Nothing runs on the session any more."""
        session, self.session = self.session, None
        if session is not None:
            self._pool.give_back(session)

    def lose(self, code: str) -> None:
        """The session died."""
        session, self.session = self.session, None
        if session is not None:
            self._pool.lose(session, code)

    def drop(self) -> None:
        """Close the session, whatever state it is in."""
        session, self.session = self.session, None
        if session is not None:
            self._pool.drop(session)

    async def _wait(self) -> Session:
        waiter = self._waiter = self._pool.queue()
        wait_s = max(0.0, min(self._deadline.left_s() / 2, self._pool.target.pool_timeout_s))
        loop = asyncio.get_running_loop()
        timer = loop.call_later(wait_s, self._pool.give_up, waiter, DatabaseBusy(retry_after_s=1))
        try:
            return await waiter
        finally:
            self._waiter = None
            timer.cancel()

    async def _prove(self, session: Session) -> bool:
        """Whether the session answers; one that doesn't is given up."""
        try:
            session.show_nobody()
            limit_round_trips(session.connection, PING_TIMEOUT_MS)
            await session.connection.ping()
            limit_round_trips(session.connection, 0)
        except Exception as error:
            failure = classify(error)
            if failure.kind not in {FailureKind.LOST, FailureKind.TIMED_OUT}:
                self.drop()  # it still has the ping's time limit
                raise
            self.session = None
            self._pool.lose_silent(session, failure.code)
            return False
        return True
