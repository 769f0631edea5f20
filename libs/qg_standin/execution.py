"""Executes statements of one session and sends their rows.

The order of things: parse (plan), sleep if the statement says so, start in the engine, then rows as the
client asks for them. What is cached is answered on the spot, everything else runs in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from qg_standin import replies, requests
from qg_standin.binds import RawRow, returning_values
from qg_standin.bound_values import bind_kinds, bind_values, cache_key
from qg_standin.changes import Transaction
from qg_standin.cursors import Cursor, Cursors
from qg_standin.failures import OracleError, unsupported
from qg_standin.lobs import LobStore
from qg_standin.placeholders import placeholder_offsets, rename_placeholders
from qg_standin.response import Call, Response
from qg_standin.row_sending import RowSending
from qg_standin.rows import CachedSource
from qg_standin.session_view import Surroundings
from qg_standin.sources import Shared, Sources
from qg_standin.spot_answers import SpotAnswer, SpotAnswers
from qg_standin.sql.plan import BindKinds, Plan
from qg_standin.sql.statement import Action
from qg_standin.values import BindValue

T = TypeVar("T")
_EXECUTE_AND_FETCH = requests.OPTION_EXECUTE | requests.OPTION_FETCH
_DEFINABLE = frozenset({Action.CHANGE, Action.DEFINE})


class Execution:
    """The statements of one session."""

    def __init__(self, shared: Shared, field_version: int, around: Surroundings) -> None:
        self.cursors = Cursors()
        self.lobs = LobStore()
        self.spot_answers = SpotAnswers()
        self.transaction = Transaction(shared.engines, shared.cache)
        self.sources = Sources(shared, self.cursors, self.lobs, self.transaction)
        self._shared = shared
        self._around = around
        self._field_version = field_version
        self._rows = RowSending(self.sources, field_version, lambda: self.call_status)

    @property
    def call_status(self) -> int:
        return replies.STATUS_IN_TRANSACTION if self.transaction.is_open else 0

    def cursor_for(self, request: requests.Execute) -> Cursor:
        """The cursor a request is about, with what the request newly declares."""
        if request.sql is not None:
            cursor = self.cursors.get(request.cursor_id) if request.cursor_id else None
            if cursor is None or cursor.sql != request.sql:
                if cursor is not None:
                    self.cursors.close([cursor.number])
                cursor = self.cursors.open(request.sql, rename_placeholders(request.sql).parameters)
                cursor.is_plsql = bool(request.options & requests.OPTION_PLSQL)
        else:
            cursor = self.cursors.get(request.cursor_id)
        if request.bind_types is not None:
            cursor.bind_types = request.bind_types
            cursor.carrying = returning_values(cursor.sql, placeholder_offsets(cursor.sql), len(request.bind_types))
            cursor.plan = None
        if request.define_types is not None:
            cursor.define_types = request.define_types
        return cursor

    def repeat(self, answer: SpotAnswer) -> bytes | None:
        """The packets of an answer given before, None if it does not hold any more."""
        if self.transaction.is_open or not answer.holds(self._shared.cache.generation):
            return None
        answer.apply()
        return answer.packets

    def keep(self, body: bytes, cursor: Cursor, packets: bytes) -> None:
        """Remember an answer from the cache whose rows have ended."""
        if isinstance(cursor.source, CachedSource) and cursor.source.has_ended:
            self.spot_answers.keep(body, cursor, packets, self._shared.cache.generation)

    def answer_from_cache(self, cursor: Cursor, request: requests.Execute, response: Response) -> bool:
        """Answer on the spot if plan and rows are known; False: nothing was done."""
        if request.options & _EXECUTE_AND_FETCH != _EXECUTE_AND_FETCH or len(request.rows) > 1:
            return False
        if self.transaction.is_open or request.define_types is not None or request.describes_only:
            return False
        row = request.rows[0] if request.rows else ()
        plan = self._shared.planner.known(cursor.sql, bind_kinds(cursor, row))
        if plan is None or plan.action is not Action.QUERY or plan.has_lobs:
            return False
        found = self._shared.cache.get(cache_key(cursor, row))
        if found is None:
            return False
        cursor.abandon()
        cursor.plan = plan
        cursor.row = row
        cursor.source = source = CachedSource(found)
        self._describe(cursor, plan, request, response)
        self._rows.add(cursor, source.take(request.rows_wanted), response)
        return True

    async def execute(self, cursor: Cursor, request: requests.Execute, call: Call, response: Response) -> None:
        """Run a statement and add its whole response but the end of the stream of packets."""
        row = request.rows[0] if request.rows else ()
        if not request.options & requests.OPTION_EXECUTE and not request.describes_only:
            await self._define_or_fetch(cursor, request, call, response)
            return
        cursor.abandon()
        try:
            plan = await self._plan(cursor, row, call)
            if plan.action is Action.QUERY:
                await self._query(cursor, plan, row, request, call, response)
            elif request.describes_only:
                self._end(cursor, response, 0)
            else:
                await self._change(cursor, plan, request, call, response)
        except OracleError:
            # The client forgets the cursor of a failed statement and closes it.
            cursor.abandon()
            raise

    async def fetch(self, cursor: Cursor, rows_wanted: int, call: Call, response: Response) -> None:
        """Add the next rows and their ending."""
        if cursor.source is None:
            if cursor.plan is None or cursor.plan.action is not Action.QUERY:
                raise OracleError(1002, "fetch out of sequence")
            await self._start(cursor, cursor.plan, call)
        await self._rows.send(cursor, rows_wanted, call, response, executed=False)

    async def commit(self) -> None:
        await self.sources.thread(self.transaction.commit)
        self.transaction.announce()

    async def rollback(self) -> None:
        await self.sources.thread(self.transaction.rollback)

    def close(self) -> None:
        """The session ended: give everything back. Blocks briefly."""
        self.cursors.close([cursor.number for cursor in self.cursors.all()])
        self.lobs.clear()
        self.transaction.abandon()

    async def _plan(self, cursor: Cursor, row: RawRow, call: Call) -> Plan:
        kinds = bind_kinds(cursor, row)
        plan = self._shared.planner.known(cursor.sql, kinds)
        if plan is None:
            values = bind_values(cursor, row, self.lobs)
            plan = await self._guarded(lambda: self._make_plan(cursor, values, kinds), call)
        cursor.plan = plan
        cursor.row = row
        return plan

    def _make_plan(self, cursor: Cursor, values: dict[str, BindValue], kinds: BindKinds) -> Plan:
        engine = self._shared.engines.acquire()
        try:
            return self._shared.planner.plan(cursor.sql, cursor.parameters, values, kinds, self._around, engine)
        finally:
            self._shared.engines.release(engine)

    async def _guarded(self, work: Callable[[], T], call: Call) -> T:
        """Blocking work in a thread; a break that came meanwhile wins over its outcome."""
        try:
            outcome = await self.sources.thread(work)
        finally:
            call.check()
        return outcome

    async def _query(
        self,
        cursor: Cursor,
        plan: Plan,
        row: RawRow,
        request: requests.Execute,
        call: Call,
        response: Response,
    ) -> None:
        cursor.row = row
        needs_define = plan.has_lobs and cursor.define_types is None
        if request.describes_only or needs_define or not request.options & requests.OPTION_FETCH:
            # Without the fetch option the client wants no rows yet: it may define the columns anew.
            response.add(self._shared.planner.described(plan, self._field_version))
            cursor.described = plan
            self._end(cursor, response, 0)
            return
        await self._start(cursor, plan, call)
        self._describe(cursor, plan, request, response)
        await self._rows.send(cursor, request.rows_wanted, call, response, executed=True)

    def _describe(self, cursor: Cursor, plan: Plan, request: requests.Execute, response: Response) -> None:
        if not request.is_reexecute or cursor.described is not plan:
            response.add(self._shared.planner.described(plan, self._field_version))
            cursor.described = plan

    async def _start(self, cursor: Cursor, plan: Plan, call: Call) -> None:
        values = bind_values(cursor, cursor.row, self.lobs)
        for seconds in plan.sleeps:
            wanted = values.get(seconds) if isinstance(seconds, str) else seconds
            await call.sleep(float(wanted) if isinstance(wanted, int | float | Decimal) else 0.0)
        await self.sources.open(cursor, plan, values, call)

    async def _define_or_fetch(self, cursor: Cursor, request: requests.Execute, call: Call, response: Response) -> None:
        if request.options & requests.OPTION_FETCH and request.define_types is None:
            await self.fetch(cursor, request.rows_wanted, call, response)
        elif request.options & requests.OPTION_PARSE and request.define_types is None:
            await self._plan(cursor, (), call)
            self._end(cursor, response, 0)
        else:
            cursor.abandon()
            response.add(replies.error(self._field_version, call_status=self.call_status, cursor_id=cursor.number))

    def _end(self, cursor: Cursor, response: Response, row_count: int, batch: bytes = bytes(3)) -> None:
        has_errors = batch != bytes(3)
        response.add(replies.AFTER_EXECUTE)
        response.add(
            replies.error(
                self._field_version,
                call_status=self.call_status,
                number=replies.BATCH_ERRORS if has_errors else 0,
                message="ORA-24381: error(s) in array DML" if has_errors else "",
                cursor_id=cursor.number,
                row_count=row_count,
                batch=batch,
            )
        )

    async def _change(
        self, cursor: Cursor, plan: Plan, request: requests.Execute, call: Call, response: Response
    ) -> None:
        if plan.action in _DEFINABLE and not self._around.session.user.can_write:
            raise OracleError(1031)
        if plan.action is Action.COMMIT:
            await self.commit()
        elif plan.action is Action.ROLLBACK:
            await self.rollback()
        if plan.action not in _DEFINABLE:
            self._end(cursor, response, 0)
            return
        if cursor.carrying < len(cursor.bind_types):
            raise unsupported("RETURNING ... INTO")
        rows = [plan.parameters(bind_values(cursor, row, self.lobs)) for row in request.rows] or [{}]
        keeps_errors = bool(request.options & requests.OPTION_BATCH_ERRORS)

        def work() -> tuple[int, list[tuple[int, int, str]]]:
            self.sources.set_aside()
            return self.transaction.change(plan, rows, keeps_errors=keeps_errors, catalog=self._shared.catalog)

        count, errors = await self.sources.interruptible(work, cursor, call)
        if plan.action is Action.DEFINE or request.options & requests.OPTION_COMMIT:
            await self.commit()
        self._end(cursor, response, count, replies.batch_error_list(errors))
