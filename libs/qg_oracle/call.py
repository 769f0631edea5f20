"""One run of a statement: the owner of its session, its driver calls, its deadline and its end."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

import oracledb

from qg_core.errors import DatabaseBusy, DeadlineExceeded, GatewayError, QueryTimedOut
from qg_oracle.cancelling import CallCancelled, CancelSignal
from qg_oracle.columns import Column, DescribingCursor, column_of
from qg_oracle.deadlines import Deadline
from qg_oracle.errors import Failure, FailureKind, classify, to_gateway_error
from qg_oracle.events import AbandonedCallEnded, CallAbandoned, CallRetried
from qg_oracle.logon import STATEMENTS_CACHED
from qg_oracle.pool import Pool
from qg_oracle.sessions import Session, limit_round_trips
from qg_oracle.statements import Statement, Tags
from qg_oracle.values import RowEncoder

RETRY_WITHIN_S = 1.0
"""A loss that shows later than that may have been a running statement: it is not repeated."""

CANCEL_GRACE_S = 5.0
"""What the database has to give up a cancelled call, before its session is dropped."""

PING_TIMEOUT_MS = 1_500
TIMED_OUT = "deadline"

Explain = Callable[[Failure], GatewayError]
"""Makes the caller's error of a classified one."""


class Call:
    """Counts against its statement and its pool from the first to the last moment, whoever still waits for it."""

    __slots__ = (
        "_answer",
        "_asked",
        "_binds",
        "_cancel",
        "_cursor",
        "_encoder",
        "_explain",
        "_grace",
        "_loop",
        "_session",
        "_stop_error",
        "_stopped_at",
        "_task",
        "_timer",
        "_waiter",
        "bind_names",
        "columns",
        "deadline",
        "finished",
        "pool",
        "row_count",
        "size",
        "statement",
        "tags",
        "truncated",
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
        self.tags = tags
        self.deadline = deadline
        self.columns: tuple[Column, ...] = ()
        self.bind_names: tuple[str, ...] = ()
        self.row_count = 0
        self.size = 0
        self.truncated = False
        self.finished = False
        self._asked = 0
        self._binds = binds
        self._cancel = cancel
        self._explain = explain
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._cursor: DescribingCursor | None = None
        self._encoder: RowEncoder | None = None
        self._waiter: asyncio.Future[Session] | None = None
        self._answer: asyncio.Future[bytes | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._stop_error: Exception | None = None
        self._stopped_at = 0.0
        pool.calls.add(self)
        self._timer = self._loop.call_later(max(0.0, deadline.left_s()), self.stop, TIMED_OUT)
        if cancel is not None:
            cancel.listen(self.stop)

    # -- the caller's side -------------------------------------------------------------------------------------------

    def begin(self, work: Coroutine[Any, Any, bytes | None]) -> "asyncio.Future[bytes | None]":
        """Start a stretch of work in its own task; the future has its outcome, or the reason for giving up."""
        self._answer = answer = self._loop.create_future()
        if self._stop_error is not None:
            work.close()
            answer.set_exception(self._stop_error)
            self._finish()
            return answer
        self._task = self._loop.create_task(self._drive(work, answer))
        return answer

    def stop(self, reason: str) -> None:
        """Give up: tell the caller at once, cancel in the database, hand the session back when that is done."""
        if self.finished or self._stop_error is not None:
            return
        self._stop_error = QueryTimedOut() if reason == TIMED_OUT else CallCancelled(reason)
        self._stopped_at = time.monotonic()
        if self._waiter is not None:
            self.pool.give_up(self._waiter, self._error_of_waiting(reason))
        elif self._task is not None:
            self._abandon(reason)
        else:
            self._finish()

    def raise_if_stopped(self) -> None:
        """For a stream that ended because it was stopped between two batches."""
        if self._stop_error is not None:
            raise self._stop_error

    # -- the work ----------------------------------------------------------------------------------------------------

    async def first_batch(self) -> bytes | None:
        """Get a session, run the statement, encode the first rows; once more if a reused session turns out dead."""
        asked = min(self.statement.first_rows, self.statement.rows_max + 1)
        session = await self._acquire()
        started = time.monotonic()
        try:
            rows = await self._start(session, asked)
        except Exception as error:
            failure = classify(error)
            if not self._may_retry(session, failure.kind, started):
                raise
            self._let_go_of_dead(failure.code)
            self.pool.observe(self._event(CallRetried, code=failure.code))
            rows = await self._start(await self._acquire(), asked)
        return self._encode(rows)

    async def next_batch(self) -> bytes | None:
        """Encode the next rows; None when there are none."""
        cursor = self._cursor
        if cursor is None:
            return None
        asked = min(self.statement.batch_rows, self.statement.rows_max + 1 - self.row_count)
        self._asked = cursor.arraysize = asked
        before = self.row_count
        chunk = self._encode(await cursor.fetchmany(asked))
        return b"," + chunk if self.row_count > before else None

    async def describe(self) -> bytes | None:
        """Let the database parse the statement; fills `columns` and `bind_names`."""
        session = await self._acquire()
        cursor = self._cursor = DescribingCursor(session.connection)
        await cursor.parse(self.statement.sql)
        self.columns = tuple(column_of(metadata) for metadata in cursor.description or ())
        self.bind_names = tuple(cursor.bindnames())
        self._finish()
        return None

    async def _acquire(self) -> Session:
        session = self.pool.take()
        if session is None:
            session = await self._wait()
        self._session = session
        if self._stop_error is not None:
            raise self._stop_error
        if self.pool.needs_proof(session):
            return await self._prove(session)
        return session

    async def _wait(self) -> Session:
        waiter = self._waiter = self.pool.queue()
        wait_s = min(self.deadline.left_s() / 2, self.pool.target.pool_timeout_s)
        timer = self._loop.call_later(max(0.0, wait_s), self.pool.give_up, waiter, DatabaseBusy(retry_after_s=1))
        try:
            return await waiter
        finally:
            self._waiter = None
            timer.cancel()

    async def _prove(self, session: Session) -> Session:
        """A round trip on a session that may be dead or still owe the answer to a cancel; another one if it is."""
        connection = session.connection
        for _ in range(2):
            try:
                limit_round_trips(connection, PING_TIMEOUT_MS)
                await connection.ping()
                limit_round_trips(connection, 0)
            except Exception as error:
                failure = classify(error)
                if failure.code == "ORA-01013" and session.healthy:
                    continue  # that was the answer to an earlier cancel
                if failure.kind not in {FailureKind.LOST, FailureKind.TIMED_OUT}:
                    raise
                self._let_go_of_dead(failure.code)
                return await self._acquire()
            else:
                session.doubtful = False
                return session
        self._let_go_of_dead("ORA-01013")
        return await self._acquire()

    async def _start(self, session: Session, asked: int) -> list[Any]:
        connection = session.connection
        tags = self.tags
        connection.client_identifier = tags.client_identifier
        connection.module = tags.module
        connection.action = tags.action
        statement = self.statement
        cursor = self._cursor = DescribingCursor(connection)
        cursor.prefetchrows = cursor.arraysize = asked
        cursor.outputtypehandler = statement.handler
        for name, value in self._binds.items():
            if type(value) is datetime and value.microsecond:
                # A datetime goes as DATE, which keeps indexes on DATE columns of use but would drop the fraction.
                cursor.setinputsizes(**{name: oracledb.DB_TYPE_TIMESTAMP})
        await cursor.execute(statement.sql, self._binds)
        self.columns = columns = _columns(session, cursor, statement.sql)
        self._encoder = statement.encoder_for(columns)
        self._asked = min(asked, cursor.prefetchrows)  # less when LOB columns turned up
        cursor.arraysize = self._asked
        rows: list[Any] = await cursor.fetchmany(self._asked)
        return rows

    def _encode(self, rows: list[Any]) -> bytes:
        """Encode a batch within the row and byte limits; gives the session back when it was the last."""
        statement = self.statement
        encoder = self._encoder
        if encoder is None:
            return b""
        exhausted = len(rows) < self._asked
        room = statement.rows_max - self.row_count
        if len(rows) > room:
            del rows[room:]
            self.truncated = exhausted = True
        chunk = encoder.encode(rows)
        if self.size + len(chunk) > statement.bytes_max:
            rows, chunk = _cut(encoder, rows, chunk, statement.bytes_max - self.size)
            self.truncated = exhausted = True
        statement.note_batch(self.columns, len(rows), len(chunk))
        self.row_count += len(rows)
        self.size += len(chunk) + 1
        if exhausted:
            statement.note_total(self.row_count)
            self._finish()
        return chunk

    # -- endings -----------------------------------------------------------------------------------------------------

    async def _drive(self, work: Coroutine[Any, Any, bytes | None], answer: "asyncio.Future[bytes | None]") -> None:
        """The body of the owned task: whatever happens, the session ends where it belongs and the caller is told."""
        chunk: bytes | None = None
        error: Exception | None = None
        dropped = False
        try:
            chunk = await work
        except asyncio.CancelledError:
            dropped = True  # only `_drop` does that, or a loop that is shutting down
        except GatewayError as failed:
            error = failed
        except Exception as failed:  # noqa: BLE001 - classified; nothing of it may escape as it is
            error = self._classified(failed)
        self._task = None
        if dropped:
            self._end_dropped()
        elif self._stop_error is not None or error is not None:
            self._finish(doubtful=self._stop_error is not None)
        if answer.done():
            return
        if self._stop_error is not None or error is not None or dropped:
            answer.set_exception(self._stop_error or error or CallCancelled("dropped"))
        else:
            answer.set_result(chunk)

    def _classified(self, error: Exception) -> Exception:
        failure = classify(error)
        session = self._session
        if failure.kind is FailureKind.LOST or (session is not None and not session.healthy):
            self._let_go_of_dead(failure.code)
        return self._explain(failure)

    def _may_retry(self, session: Session, kind: FailureKind, started: float) -> bool:
        return (
            kind is FailureKind.LOST
            and session.pooled
            and time.monotonic() - started <= RETRY_WITHIN_S
            and self._stop_error is None
        )

    def _let_go_of_dead(self, code: str) -> None:
        session, self._session, self._cursor = self._session, None, None
        if session is not None:
            self.pool.lose(session, code)

    def _finish(self, *, doubtful: bool = False) -> None:
        """The end of the call: the session goes back, nothing counts any more."""
        if self.finished:
            return
        self.finished = True
        session, cursor = self._session, self._cursor
        self._session = self._cursor = None
        if cursor is not None:
            _close_cursor(cursor)
        if session is not None:
            session.doubtful = session.doubtful or doubtful
            self.pool.give_back(session)
        self._leave(dropped=False)

    def _end_dropped(self) -> None:
        self.finished = True
        session, self._session, self._cursor = self._session, None, None
        if session is not None:
            self.pool.drop(session)
        self._leave(dropped=True)

    def _leave(self, *, dropped: bool) -> None:
        self._timer.cancel()
        if self._cancel is not None:
            self._cancel.forget()
        self.statement.leave()
        self.pool.calls.discard(self)
        if self._grace is not None:
            self._grace.cancel()
            after_ms = (time.monotonic() - self._stopped_at) * 1000
            self.pool.observe(self._event(AbandonedCallEnded, after_ms=after_ms, dropped=dropped))

    def _abandon(self, reason: str) -> None:
        """The driver is at work: ask the database to stop, and see later whether it did."""
        answer = self._answer
        if answer is not None and not answer.done() and self._stop_error is not None:
            answer.set_exception(self._stop_error)
        if self._session is None:
            return
        self._grace = self._loop.call_later(CANCEL_GRACE_S, self._drop)
        self.pool.observe(self._event(CallAbandoned, reason=reason))
        self._session.cancel()

    def _drop(self) -> None:
        """The database didn't even answer the cancel: leave the driver by force, its connection is lost anyway.

        A cancelled driver call tries to break and waits again, hence once more until it is out.
        """
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self._grace = self._loop.call_later(0.05, self._drop)

    def _error_of_waiting(self, reason: str) -> Exception:
        error = self._stop_error = DeadlineExceeded() if reason == TIMED_OUT else CallCancelled(reason)
        return error

    def _event(self, event_type: Any, **fields: Any) -> Any:
        return event_type(connection_id=self.pool.target.connection_id, pool=self.pool.fingerprint, **fields)


def _columns(session: Session, cursor: DescribingCursor, sql: str) -> tuple[Column, ...]:
    """The columns of what was just executed: described in this call, or known since this session's last describe."""
    known = session.columns.get(sql)
    if not cursor.described and known is not None:
        return known
    described = cursor.description or []
    # The driver asks for the fetch form of every column more than once when a cached statement is described anew.
    columns = tuple(cursor.described[-len(described) :]) or tuple(map(column_of, described))
    if not columns:
        raise oracledb.InterfaceError("the statement gave no columns")
    if known == columns:
        return known
    if len(session.columns) >= 2 * STATEMENTS_CACHED:
        session.columns.clear()
    session.columns[sql] = columns
    return columns


def _close_cursor(cursor: DescribingCursor) -> None:
    try:
        cursor.close()
    except (oracledb.Error, OSError):
        return  # with a dead connection there is nothing to return it to


def _cut(encoder: RowEncoder, rows: list[Any], chunk: bytes, room: int) -> tuple[list[Any], bytes]:
    """The longest run of rows from the start whose encoding fits into `room` bytes."""
    low, high = 0, len(rows)
    best = b""
    while low < high:
        middle = (low + high + 1) // 2
        chunk = encoder.encode(rows[:middle])
        if len(chunk) <= room:
            low, best = middle, chunk
        else:
            high = middle - 1
    return rows[:low], best
