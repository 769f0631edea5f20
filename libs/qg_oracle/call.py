"""One run of a statement: the owner of its session, its driver calls, its deadline and its end."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from qg_core.errors import DeadlineExceeded, GatewayError, QueryTimedOut
from qg_oracle.cancelling import CallCancelled, CancelSignal
from qg_oracle.columns import DescribingCursor, column_of
from qg_oracle.deadlines import Deadline
from qg_oracle.errors import Failure, FailureKind, classify, to_gateway_error
from qg_oracle.events import AbandonedCallEnded, CallAbandoned, CallRetried
from qg_oracle.fetching import close_cursor, columns_of, declare_binds, open_cursor
from qg_oracle.leases import Lease
from qg_oracle.output import Output
from qg_oracle.pool import Pool
from qg_oracle.running import TIMED_OUT
from qg_oracle.sessions import Session
from qg_oracle.statements import Statement, Tags

RETRY_WITHIN_S = 1.0
"""A loss that shows later than that may have been a running statement: it is not repeated."""

CANCEL_GRACE_S = 5.0
"""What the database has to give up a cancelled call, before its session is dropped."""

Explain = Callable[[Failure], GatewayError]
"""Makes the caller's error of a classified one."""


class Call:
    """Counts against its statement and its pool from the first to the last moment, whoever still waits for it."""

    __slots__ = (
        "_answer",
        "_binds",
        "_cancel",
        "_cursor",
        "_explain",
        "_grace",
        "_lease",
        "_loop",
        "_stop_error",
        "_stopped_at",
        "_tags",
        "_task",
        "bind_names",
        "expires_at",
        "finished",
        "output",
        "pool",
        "statement",
    )

    def __init__(
        self,
        pool: Pool,
        statement: Statement,
        binds: Mapping[str, Any],
        tags: Tags,
        deadline: Deadline,
        cancel: CancelSignal | None = None,
        explain: Explain = to_gateway_error,
    ) -> None:
        self.pool = pool
        self.statement = statement
        self.output = Output(statement)
        self.bind_names: tuple[str, ...] = ()
        self.finished = False
        self._binds = binds
        self._tags = tags
        self._cancel = cancel
        self._explain = explain
        self._lease = Lease(pool, deadline)
        self._cursor: DescribingCursor | None = None
        self._answer: asyncio.Future[bytes | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._stop_error: Exception | None = None
        self._stopped_at = 0.0
        self._loop = asyncio.get_running_loop()
        self.expires_at = deadline.expires_at
        pool.calls.add(self)
        if cancel is not None:
            cancel.listen(self.stop)

    # -- the caller's side -------------------------------------------------------------------------------------------

    def begin(self, work: Coroutine[Any, Any, bytes | None]) -> "asyncio.Future[bytes | None]":
        """Start a stretch of work in its own task; the future has its outcome, or the reason for giving up."""
        self._answer = answer = self._loop.create_future()
        if self._stop_error is not None:
            work.close()
            answer.set_exception(self._stop_error)
        else:
            self._task = self._loop.create_task(self._drive(work, answer))
        return answer

    def stop(self, reason: str) -> None:
        """Give up: tell the caller at once, cancel in the database, hand the session back when that is done."""
        if self.finished or self._stop_error is not None:
            return
        waiting = self._lease.waiting
        if reason != TIMED_OUT:
            self._stop_error = CallCancelled(reason)
        else:
            self._stop_error = DeadlineExceeded() if waiting else QueryTimedOut()
        self._stopped_at = time.monotonic()
        if waiting:
            self._lease.stop_waiting(self._stop_error)
        elif self._task is not None:
            self._abandon(reason, self._stop_error)
        else:
            self._finish()

    def raise_if_stopped(self) -> None:
        """For a stream that ended because it was stopped between two batches."""
        if self._stop_error is not None:
            raise self._stop_error

    # -- the work ----------------------------------------------------------------------------------------------------

    async def first_batch(self) -> bytes | None:
        """Get a session, run the statement, encode the first rows; once more if a pooled session turns out dead."""
        session = await self._acquire()
        started = time.monotonic()
        try:
            return await self._start(session)
        except Exception as error:
            failure = classify(error)
            if not self._may_retry(session, failure.kind, started):
                raise
            self._lose(failure.code)
            self.pool.observe(self._event(CallRetried, code=failure.code))
            return await self._start(await self._acquire())

    async def next_batch(self) -> bytes | None:
        """Encode the next rows, a comma in front; None when there are none."""
        cursor = self._cursor
        if cursor is None:
            return None
        asked = cursor.arraysize = self.output.next_rows
        before = self.output.row_count
        chunk = self._encode(await cursor.fetchmany(asked), asked)
        return b"," + chunk if self.output.row_count > before else None

    async def describe(self) -> bytes | None:
        """Let the database parse the statement; fills the output's columns and `bind_names`."""
        session = await self._acquire()
        session.show_nobody()
        cursor = self._cursor = DescribingCursor(session.connection)
        await cursor.parse(self.statement.sql)
        self.output.columns = tuple(column_of(metadata) for metadata in cursor.description or ())
        self.bind_names = tuple(cursor.bindnames())
        self._finish()
        return None

    async def _acquire(self) -> Session:
        session = await self._lease.acquire()
        self.raise_if_stopped()
        return session

    async def _start(self, session: Session) -> bytes:
        statement = self.statement
        asked = statement.first_rows
        cursor = self._cursor = open_cursor(session, statement, self._tags, asked)
        declare_binds(cursor, self._binds)
        await cursor.execute(statement.sql, self._binds)
        self.output.shape(columns_of(session, cursor, statement))
        if cursor.prefetchrows < asked:  # LOB columns turned up
            asked = cursor.arraysize = cursor.prefetchrows
        return self._encode(await cursor.fetchmany(asked), asked)

    def _encode(self, rows: list[Any], asked: int) -> bytes:
        chunk = self.output.encode(rows, asked)
        if self.output.exhausted:
            self._finish()
        return chunk

    # -- endings -----------------------------------------------------------------------------------------------------

    async def _drive(self, work: Coroutine[Any, Any, bytes | None], answer: "asyncio.Future[bytes | None]") -> None:
        """The body of the owned task: whatever happens, the session ends where it belongs and the caller is told."""
        chunk: bytes | None = None
        error: Exception | None = None
        try:
            chunk = await work
        except asyncio.CancelledError:  # only `_drop` does that, or a loop that is shutting down
            self._lease.drop()
            error = CallCancelled("dropped")
        except GatewayError as failed:
            error = failed
        except Exception as failed:  # noqa: BLE001 - classified; nothing of it may escape as it is
            error = self._classified(failed)
        self._task = None
        error = self._stop_error or error
        if error is not None:
            self._finish()
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(chunk)

    def _classified(self, error: Exception) -> GatewayError:
        failure = classify(error)
        session = self._lease.session
        if failure.kind is FailureKind.LOST or (session is not None and not session.healthy):
            self._lose(failure.code)
        return self._explain(failure)

    def _may_retry(self, session: Session, kind: FailureKind, started: float) -> bool:
        return (
            kind is FailureKind.LOST
            and session.pooled
            and time.monotonic() - started <= RETRY_WITHIN_S
            and self._stop_error is None
        )

    def _lose(self, code: str) -> None:
        self._cursor = None
        self._lease.lose(code)

    def _finish(self) -> None:
        """The end of the call: the session goes back, nothing counts any more."""
        if self.finished:
            return
        self.finished = True
        if self._cancel is not None:
            self._cancel.forget()
        cursor, self._cursor = self._cursor, None
        close_cursor(cursor)
        dropped = self._lease.session is None
        if self._grace is None:
            self._lease.give_back()
        else:
            # Never used again: after a cancel in the middle of rows the driver can take what is left of one answer
            # for the next one, and that would be another consumer's.
            self._lease.drop()
        self.statement.leave()
        self.pool.calls.discard(self)
        if self._grace is not None:
            self._grace.cancel()
            after_ms = (time.monotonic() - self._stopped_at) * 1000
            self.pool.observe(self._event(AbandonedCallEnded, after_ms=after_ms, dropped=dropped))

    def _abandon(self, reason: str, error: Exception) -> None:
        """The driver is at work: ask the database to stop, and see later whether it did."""
        answer, session = self._answer, self._lease.session
        if answer is not None and not answer.done():
            answer.set_exception(error)
        if session is not None:
            self._grace = self._loop.call_later(CANCEL_GRACE_S, self._drop)
            self.pool.observe(self._event(CallAbandoned, reason=reason))
            session.cancel()

    def _drop(self) -> None:
        """The database didn't even answer the cancel: leave the driver by force, its connection is lost anyway.

        A cancelled driver call tries to break and waits again, hence once more until it is out.
        """
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self._grace = self._loop.call_later(0.05, self._drop)

    def _event(self, event_type: Any, **fields: Any) -> Any:
        return event_type(connection_id=self.pool.target.connection_id, pool=self.pool.fingerprint, **fields)
