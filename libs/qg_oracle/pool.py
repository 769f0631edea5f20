"""The sessions of one target: hand out, take back, close.

Why not the driver's own asyncio pool: one host that doesn't answer stops it for good, giving back rolls back under its
lock, and a wrong password is tried again for everybody who waits. docs/adr/0004-thin-mode-only.md says more.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine

import msgspec

from qg_core.errors import ConnectionUnavailable
from qg_oracle.errors import classify, to_gateway_error
from qg_oracle.events import Observe, PoolClosed, PoolRetired, SessionLost
from qg_oracle.opening import Opener
from qg_oracle.running import RunningCalls
from qg_oracle.sessions import Session, limit_round_trips
from qg_oracle.targets import ConnectionTarget
from qg_oracle.waiters import Waiter, Waiters

IDLE_S_MAX = 300.0
"""A free session above `pool_min` is closed after that."""

LIFETIME_S_MAX = 3_600.0
"""A session older than that is closed when it is free: it may sit on a node of a cluster that has moved on."""

ROLLBACK_TIMEOUT_MS = 5_000

PING_AFTER_IDLE_S = 60.0
"""A session unused for longer is proved by a round trip first: firewalls forget."""


class PoolStatistics(msgspec.Struct, frozen=True):
    """One pool at one moment; all are counts of sessions but `waiting` (calls)."""

    connection_id: str
    fingerprint: str
    sessions_max: int
    open: int
    busy: int
    opening: int
    waiting: int
    retired: bool


class Pool:
    """One target's sessions. Everything runs on one event loop; nothing here waits but `drained`."""

    def __init__(
        self,
        target: ConnectionTarget,
        fingerprint: str,
        *,
        observe: Observe,
        hosts_allowed: tuple[str, ...],
        on_closed: Callable[["Pool"], None],
        predecessor: "Pool | None" = None,
    ) -> None:
        self.target = target
        self.fingerprint = fingerprint
        self.observe = observe
        self.busy = 0
        """Sessions handed out, those of abandoned calls included."""
        self.retired = False
        self.closed = False
        self.calls = RunningCalls()
        self._on_closed = on_closed
        self._predecessor = predecessor
        self._successor: Pool | None = None
        if predecessor is not None:
            predecessor._successor = self
        self._free: list[Session] = []
        self._waiters = Waiters()
        self._opener = Opener(
            target,
            fingerprint,
            observe=observe,
            hosts_allowed=hosts_allowed,
            on_session=self._hand_on,
            on_change=self._settle,
        )
        self._closing: set[asyncio.Task[None]] = set()
        self._tidying: set[asyncio.Task[None]] = set()
        self._suspect_before = 0.0
        self._emptied = asyncio.Event()

    # -- handing out -------------------------------------------------------------------------------------------------

    def take(self) -> Session | None:
        """A free session that is not known to be dead; None when the caller has to queue."""
        while self._free:
            session = self._free.pop()
            if session.healthy:
                self.busy += 1
                return session
            self._lose(session, "idle")
        return None

    def queue(self) -> Waiter:
        """A future for the next session, in order of asking. The caller bounds the wait (see `give_up`).

        It fails with what keeps the pool from opening sessions when it has none at all. Raises `DatabaseBusy` when too
        many wait already and `ConnectionUnavailable` when the pool is closed.
        """
        if self.closed:
            raise ConnectionUnavailable(retry_after_s=1)
        waiter = self._waiters.add()
        self._grow()
        return waiter

    def give_up(self, waiter: Waiter, error: Exception) -> None:
        """End a wait with `error`; without effect once the session was handed over."""
        if self._waiters.give_up(waiter, error):
            self._close_if_drained()

    def needs_proof(self, session: Session) -> bool:
        """Whether a session should answer a ping before it is trusted with a statement."""
        return session.returned_at < self._suspect_before or time.monotonic() - session.returned_at > PING_AFTER_IDLE_S

    # -- taking back -------------------------------------------------------------------------------------------------

    def give_back(self, session: Session) -> None:
        """The caller is done with a session it got from `take` or `queue`; nothing runs on it any more."""
        connection = session.connection
        if not session.healthy:
            self.busy -= 1
            self._lose(session, "returned")
            return
        if connection.transaction_in_progress:
            self._roll_back(session)
            return
        session.pooled = True
        self.busy -= 1
        self._hand_on(session)

    def lose(self, session: Session, code: str) -> None:
        """The caller's session died under it: forget it, and trust no session that was idle before now."""
        self.busy -= 1
        self._suspect_before = time.monotonic()
        self._lose(session, code)

    def lose_silent(self, session: Session, code: str) -> None:
        """The same for a session that answered no ping: what has been idle for longer was forgotten by the same
        firewall, and would cost every caller the same wait."""
        older = [free for free in self._free if free.returned_at <= session.returned_at]
        self._free = [free for free in self._free if free.returned_at > session.returned_at]
        for free in older:
            self._lose(free, "silent")
        self.lose(session, code)

    def drop(self, session: Session) -> None:
        """Close the caller's session, whatever state it is in."""
        self.busy -= 1
        self._close_session(session)

    # -- life of the pool --------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Open sessions up to `pool_min` in the background."""
        while not self.retired and self.open + self._opener.running < self.target.pool_min and self._may_open():
            self._opener.start()

    def tend(self) -> None:
        """Close what has been idle or alive for too long, forget what died, keep `pool_min`."""
        now = time.monotonic()
        kept: list[Session] = []
        spare = self.open - self.target.pool_min
        for session in self._free:
            if not session.healthy:
                self._lose(session, "idle")
            elif now - session.opened_at > LIFETIME_S_MAX:
                self._close_session(session)
            elif spare > 0 and now - session.returned_at > IDLE_S_MAX:
                spare -= 1
                self._close_session(session)
            else:
                kept.append(session)
        self._free = kept
        self.fill()

    def retire(self) -> None:
        """Close free sessions now and the others as they come back. Calls that hold this pool may still use it."""
        if self.retired:
            return
        self.retired = True
        self.observe(PoolRetired(connection_id=self.target.connection_id, pool=self.fingerprint, busy=self.busy))
        free, self._free = self._free, []
        for session in free:
            self._close_session(session)
        if not self._waiters:
            self._opener.cancel()
        self._close_if_drained()

    def stop_calls(self) -> None:
        """Cancel every running call in the database."""
        for call in self.calls:
            call.stop("shutdown")

    async def drained(self, timeout_s: float) -> bool:
        """Wait until a retired pool has no session left; False when it still has after `timeout_s`."""
        if self.closed:
            return True
        try:
            await asyncio.wait_for(self._emptied.wait(), max(0.0, timeout_s))
        except TimeoutError:
            return False
        return True

    @property
    def open(self) -> int:
        """Sessions that exist at the database, as far as this pool knows."""
        return len(self._free) + self.busy + len(self._closing)

    def statistics(self) -> PoolStatistics:
        return PoolStatistics(
            connection_id=self.target.connection_id,
            fingerprint=self.fingerprint,
            sessions_max=self.target.pool_max,
            open=self.open,
            busy=self.busy,
            opening=self._opener.running,
            waiting=len(self._waiters),
            retired=self.retired,
        )

    # -- inside ------------------------------------------------------------------------------------------------------

    def _hand_on(self, session: Session) -> None:
        session.returned_at = time.monotonic()
        if self._waiters.hand(session):
            self.busy += 1
            return
        if self.retired or session.returned_at - session.opened_at > LIFETIME_S_MAX:
            self._close_session(session)
        else:
            session.pooled = True
            self._free.append(session)

    def _capacity(self) -> int:
        reserved = 0
        ancestor = self._predecessor
        while ancestor is not None:
            reserved += ancestor.open + ancestor._opener.running
            ancestor = ancestor._predecessor
        return self.target.pool_max - reserved - self.open - self._opener.running

    def _may_open(self) -> bool:
        return self._opener.backoff.allows and self._capacity() > 0

    def _grow(self) -> None:
        """Open as many sessions as calls wait for, as far as allowed; fail the waits that nothing can end."""
        while len(self._waiters) > self._opener.running and self._may_open():
            self._opener.start()
        idle = not (self.busy or self._closing or self._opener.running)
        if self._waiters and idle and not self._opener.backoff.allows:
            self._fail_waiters()

    def _settle(self) -> None:
        """Something ended: somebody who waits may be helped now, a retired pool may be empty."""
        self._grow()
        self._close_if_drained()

    def _fail_waiters(self) -> None:
        failure = self._opener.backoff.failure
        if failure is not None:
            self._waiters.fail(lambda: to_gateway_error(failure))

    def _lose(self, session: Session, code: str) -> None:
        self.observe(SessionLost(connection_id=self.target.connection_id, pool=self.fingerprint, code=code))
        self._close_session(session)

    def _close_session(self, session: Session) -> None:
        self._in_background(session.close())

    def _roll_back(self, session: Session) -> None:
        async def roll_back() -> None:
            try:
                limit_round_trips(session.connection, ROLLBACK_TIMEOUT_MS)
                await session.connection.rollback()
                limit_round_trips(session.connection, 0)
            except Exception as error:  # noqa: BLE001 - a session that can't roll back is not used again
                self.busy -= 1
                self._lose(session, classify(error).code)
                return
            session.pooled = True
            self.busy -= 1
            self._hand_on(session)

        self._in_background(roll_back(), closes=False)

    def _in_background(self, work: Coroutine[None, None, None], *, closes: bool = True) -> None:
        task = asyncio.get_running_loop().create_task(work)
        tasks = self._closing if closes else self._tidying
        tasks.add(task)

        def done(_: "asyncio.Task[None]") -> None:
            tasks.discard(task)
            self._settle()

        task.add_done_callback(done)

    def _close_if_drained(self) -> None:
        if self._successor is not None:
            self._successor._grow()
        if not self.retired or self.closed or self.open or self._opener.running or self._waiters:
            return
        self.closed = True
        self._emptied.set()
        if self._successor is not None:
            self._successor._predecessor = self._predecessor
        self.observe(PoolClosed(connection_id=self.target.connection_id, pool=self.fingerprint))
        self._on_closed(self)
