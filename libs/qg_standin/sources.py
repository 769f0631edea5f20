"""Opens row sources in the engine and stops what runs there when the client breaks a call off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from qg_standin.bound_values import cache_key, column_encoders
from qg_standin.cache import ResultCache
from qg_standin.catalog import Catalog
from qg_standin.changes import Transaction
from qg_standin.cursors import Cursor, Cursors
from qg_standin.engine_pool import EnginePool
from qg_standin.lobs import LobStore
from qg_standin.response import Call
from qg_standin.rows import CachedSource, StreamSource
from qg_standin.sql.plan import Plan, Planner
from qg_standin.values import BindValue

T = TypeVar("T")
_SET_ASIDE_BYTES_MAX = 256 * 1024 * 1024
_INTERRUPT_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Shared:
    """What all sessions of a server use together."""

    planner: Planner
    catalog: Catalog
    cache: ResultCache
    engines: EnginePool
    threads: Executor


class Sources:
    """The open results of one session."""

    def __init__(self, shared: Shared, cursors: Cursors, lobs: LobStore, transaction: Transaction) -> None:
        self._shared = shared
        self._cursors = cursors
        self._lobs = lobs
        self._transaction = transaction

    async def thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._shared.threads, work)

    async def open(self, cursor: Cursor, plan: Plan, values: dict[str, BindValue], call: Call) -> None:
        """Give the cursor a source: cached rows, or a started statement with its first rows."""
        key = cache_key(cursor, cursor.row)
        cacheable = plan.is_stable and not plan.has_lobs and not self._transaction.is_open
        if cacheable and (found := self._shared.cache.get(key)) is not None:
            cursor.source = CachedSource(found)
            return
        encoders = column_encoders(cursor, plan, self._lobs)
        in_transaction = self._transaction.is_open
        generation = self._shared.cache.generation

        def start() -> None:
            if in_transaction:
                self.set_aside()
                engine = self._transaction.engine()
                source = StreamSource(engine, encoders, has_lobs=plan.has_lobs)
            else:
                engine = self._shared.engines.acquire()
                source = StreamSource(engine, encoders, has_lobs=plan.has_lobs, pool=self._shared.engines)
                if cacheable:
                    source.keep_for(self._shared.cache, key, generation)
            cursor.source = source
            engine.execute(plan.sql, plan.parameters(values))
            source.prime()  # so that an error of the first rows comes before any answer

        await self.interruptible(start, cursor, call)

    def set_aside(self) -> None:
        """The transaction has one engine session: what streams out of it is buffered first. Blocks."""
        for other in self._cursors.all():
            source = other.source
            if isinstance(source, StreamSource) and source.engine is self._transaction.engine_or_none():
                source.buffer_rest(_SET_ASIDE_BYTES_MAX)

    async def interruptible(self, work: Callable[[], T], cursor: Cursor, call: Call) -> T:
        """Work on a cursor's engine session; a break interrupts the engine until the work has ended."""
        running = asyncio.ensure_future(self.thread(work))
        broken = asyncio.ensure_future(call.interrupted.wait())
        try:
            await asyncio.wait((running, broken), return_when=asyncio.FIRST_COMPLETED)
            while not running.done():
                # Again and again: an interrupt before the engine has started is lost.
                self._interrupt(cursor)
                await asyncio.wait((running,), timeout=_INTERRUPT_AGAIN_S)
        finally:
            broken.cancel()
        if call.interrupted.is_set():
            running.exception()
            cursor.abandon()
            call.check()
        return running.result()

    def _interrupt(self, cursor: Cursor) -> None:
        if isinstance(cursor.source, StreamSource) and not cursor.source.has_ended:
            cursor.source.engine.interrupt()
        elif (engine := self._transaction.engine_or_none()) is not None:
            engine.interrupt()
