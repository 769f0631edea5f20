"""From the stream into Postgres, a handful of entries at a time: take, verify, check, store, tell the nodes, settle.

Entries are settled only after they are committed. A step that fails is taken up again where it failed: entries that
were taken are held (never more than `stream.ENTRIES_MAX`), and so is what was committed and not told yet.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from qg_bundle.access.codec import BatchReason, BatchRefused, decode_batch
from qg_bundle.access.reader import StreamEntry
from qg_bundle.bounded_parser import ResponseTooLarge
from qg_bundle.link import LINK_ERRORS
from qg_core.signatures import Tagger
from qg_store.engine import SessionFactory
from qg_store.repositories.access_dead_letters import DeadLetter
from qg_telemetry.events import (
    AccessBatchesStored,
    AccessBatchRefused,
    AccessEventsLost,
    AccessEventsRefused,
    Observe,
)
from worker.access_log.checking import CheckedBatch, check
from worker.access_log.dead_letters import of_entry
from worker.access_log.inserting import refuses_values
from worker.access_log.storing import Stored, store
from worker.access_log.stream import ENTRIES_MAX, EntryStream
from worker.access_log.tally import Tally
from worker.access_log.watermarks import Watermarks

TRIES_MAX = 3
"""How often one entry alone may fail for a reason that lies in it; then it is a dead letter as a whole."""


class Read(msgspec.Struct, frozen=True):
    """Entries as batches; those that are none as dead letters."""

    batches: list[CheckedBatch]
    dead: list[DeadLetter]


class Consumer:
    """One round after the other, by one caller. `batch_tags` are keyed for `ACCESS_BATCH_CONTEXT`."""

    def __init__(
        self,
        *,
        stream: EntryStream,
        sessions: SessionFactory,
        watermarks: Watermarks,
        batch_tags: Tagger,
        observe: Observe,
        tally: Tally,
        take_over_every_s: float,
    ) -> None:
        self._stream = stream
        self._sessions = sessions
        self._watermarks = watermarks
        self._batch_tags = batch_tags
        self._observe = observe
        self._tally = tally
        self._take_over_every_s = take_over_every_s
        self._held: list[StreamEntry] = []
        self._committed: list[StreamEntry] = []
        self._untold: dict[str, int] = {}
        self._width = ENTRIES_MAX
        self._failures = 0
        self._taken_over_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held: all that was taken is stored and settled."""
        return not self._held and not self._committed

    async def round(self) -> None:
        """Take some entries, or those that are still held, and see them through.

        Raises one of `link.LINK_ERRORS` or what SQLAlchemy raises; the next round goes on from there.
        """
        await self._settle()
        if not self._held:
            self._held = await self._take()
        while self._held:
            await self._store_some()
            await self._settle()

    async def _take(self) -> list[StreamEntry]:
        if time.monotonic() - self._taken_over_at >= self._take_over_every_s:
            if found := await self._unless_oversized(self._stream.take_over):
                return found
            self._taken_over_at = time.monotonic()
        return await self._unless_oversized(self._stream.take_new)

    async def _unless_oversized(self, take: Callable[[], Awaitable[list[StreamEntry]]]) -> list[StreamEntry]:
        """What `take` brings; what is too large for any reader is thrown away, or it would be pending for ever."""
        try:
            return await take()
        except ResponseTooLarge:
            if dropped := await self._stream.drop_oversized():
                self._observe(
                    AccessBatchRefused(
                        reason=BatchReason.TOO_LARGE.value, entries=dropped, detail="thrown away: too large to be kept"
                    )
                )
            return []

    async def _store_some(self) -> None:
        some = self._held[: self._width]
        started = time.perf_counter()
        try:
            read = await self._read(some)
            stored = await store(self._sessions, read.batches, read.dead, datetime.now(UTC))
        except (*LINK_ERRORS, SQLAlchemyError) as error:
            if not refuses_values(error):
                raise
            await self._narrow(error)
            return
        except Exception as error:  # noqa: BLE001 - one entry that nobody foresaw must not stop all others for ever
            await self._narrow(error)
            return
        self._took(some, stored, (time.perf_counter() - started) * 1_000, len(read.batches))
        self._report_entries(read.dead)

    async def _read(self, entries: Sequence[StreamEntry]) -> Read:
        read = Read([], [])
        now = datetime.now(UTC)
        for entry in entries:
            try:
                read.batches.append(check(decode_batch(self._batch_tags, entry.fields), now))
            except BatchRefused as error:
                # One that was trimmed while it was pending has no fields: there is nothing to keep of it.
                if entry.fields:
                    read.dead.append(of_entry(entry.fields, error.reason, error.detail))
            # Half a thousand events at a time; the worker's other loops have their turn in between.
            await asyncio.sleep(0)
        return read

    async def _narrow(self, error: Exception) -> None:
        """The reason lies in the entries: fewer at once, until the bad one is alone; then it is tried again, and out.

        Raises `error` while the entry is to be tried again.
        """
        some = self._held[: self._width]
        if len(some) > 1:
            self._width = len(some) // 2
            return
        self._failures += 1
        if self._failures < TRIES_MAX:
            raise error
        dead = [of_entry(some[0].fields, "failed", type(error).__name__)]
        stored = await store(self._sessions, [], dead, datetime.now(UTC))
        self._took(some, stored, 0.0, 0)
        self._report_entries(dead)

    def _took(self, entries: Sequence[StreamEntry], stored: Stored, duration_ms: float, batches: int) -> None:
        """These entries are committed: from now on they are only to be told and settled."""
        self._held = self._held[len(entries) :]
        self._committed += entries
        for log_id, sequence in stored.watermarks.items():
            self._untold[log_id] = max(sequence, self._untold.get(log_id, 0))
        self._width = ENTRIES_MAX
        self._failures = 0
        self._count(stored, batches)
        self._observe(
            AccessBatchesStored(
                batches=batches,
                events=stored.new,
                known=stored.known,
                dead_letters=len(stored.refused),
                duration_ms=duration_ms,
            )
        )

    def _count(self, stored: Stored, batches: int) -> None:
        self._tally.batches += batches
        self._tally.events += stored.new
        self._tally.dead_letters += len(stored.refused)
        for gap in stored.lost:
            self._tally.lost += gap.lost
            self._observe(AccessEventsLost(log_id=gap.log_id, node=gap.node, lost=gap.lost))
        events = [letter for letter in stored.refused if letter.log_id is not None]
        for reason, count in Counter(letter.reason for letter in events).items():
            detail = next(letter.detail for letter in events if letter.reason == reason)
            self._observe(AccessEventsRefused(reason=reason, events=count, detail=detail))

    def _report_entries(self, dead: Sequence[DeadLetter]) -> None:
        for reason, count in Counter(letter.reason for letter in dead).items():
            detail = next(letter.detail for letter in dead if letter.reason == reason)
            self._observe(AccessBatchRefused(reason=reason, entries=count, detail=detail))

    async def _settle(self) -> None:
        """Tell the nodes how far their logs are stored, then take what is stored out of the stream."""
        if self._untold:
            await self._watermarks.publish(self._untold)
            self._untold = {}
        if self._committed:
            await self._stream.settle(self._committed)
            self._committed = []
