"""Sends what the files hold, reads how far it is stored, and sends again what got lost on the way.

Redis may be away, hang, be emptied or full: nothing here waits on it for long, nothing is given up, and nothing of it
reaches a request.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from data_plane.access_log.batches import ROUND_TRIP_BYTES_MAX, Prepared, next_batches
from data_plane.access_log.disk_thread import DiskThread
from data_plane.access_log.log import Log
from data_plane.access_log.logs import Logs
from data_plane.access_log.outbox import Outbox, Sent
from qg_bundle.access.codec import PersistedRefused, read_persisted
from qg_bundle.access.writer import append_batches, is_in_stream, persisted_of
from qg_core.signatures import Tagger
from qg_telemetry.events import AccessBatchesLost, AccessWatermarkRefused, Observe

WATERMARK_EVERY_S = 1.0

ResultT = TypeVar("ResultT")


class FilesFailed(Exception):
    """The disk does not do what it should."""


class Sender:
    """One pass after another over all logs; `step` raises what went wrong and loses nothing."""

    def __init__(
        self,
        redis: Redis,
        disk: DiskThread,
        logs: Logs,
        *,
        node: str,
        batch_tags: Tagger,
        persisted_tags: Tagger,
        observe: Observe,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._disk = disk
        self._logs = logs
        self._node = node
        self._batch_tags = batch_tags
        self._persisted_tags = persisted_tags
        self._observe = observe
        self._now = now
        self._outboxes: dict[str, Outbox] = {}
        self._read_at = float("-inf")
        self._refused: dict[str, bytes] = {}

    def stored(self, log_id: str) -> int:
        """How far a log is known to be stored; from any thread."""
        outbox = self._outboxes.get(log_id)
        return outbox.stored if outbox is not None else 0

    @property
    def outstanding_bytes(self) -> int:
        """Sent and not known to be stored, over all logs."""
        return sum(outbox.outstanding_bytes for outbox in self._outboxes.values())

    async def step(self) -> None:
        """Look how far the logs are stored, send what may be sent. Raises one of `LINK_ERRORS`, `FilesFailed`."""
        follows = self._now() - self._read_at >= WATERMARK_EVERY_S
        failed: FilesFailed | None = None
        for log in self._logs.all:
            try:
                if follows:
                    await self._follow(log)
                if log.log_id in self._outboxes:
                    await self._send(log, self._outboxes[log.log_id])
            except FilesFailed as error:
                failed = error  # told in the end: the files of one log must not hold up the others
        if follows:
            self._read_at = self._now()
        if failed is not None:
            raise failed

    async def _follow(self, log: Log) -> None:
        """Take the watermark; nothing of a log is sent before it was looked for once."""
        outbox = self._outboxes.get(log.log_id)
        if outbox is None:
            outbox = Outbox(self._now())
        elif outbox.oldest is None and log.segments.last <= outbox.stored:
            return  # nothing is out, and nothing is left to be stored
        value = await persisted_of(self._redis, log.log_id)
        self._outboxes[log.log_id] = outbox
        if value is not None and self._take_watermark(log, outbox, value):
            await self._on_disk(partial(log.segments.drop_up_to, outbox.stored))
        if log is not self._logs.current and log.gone_up_to <= outbox.stored:
            await self._on_disk(partial(self._logs.remove, log))
            del self._outboxes[log.log_id]
            return
        await self._look_for_lost(log, outbox)

    def _take_watermark(self, log: Log, outbox: Outbox, value: bytes) -> bool:
        try:
            number = read_persisted(self._persisted_tags, log.log_id, value)
        except PersistedRefused as error:
            if self._refused.get(log.log_id) != value:
                self._refused[log.log_id] = value
                self._observe(AccessWatermarkRefused(log_id=log.log_id, detail=str(error)))
            return False
        return outbox.note_stored(number, self._now())

    async def _look_for_lost(self, log: Log, outbox: Outbox) -> None:
        now = self._now()
        oldest = outbox.oldest
        if oldest is None or not outbox.may_be_lost(now):
            return
        if await is_in_stream(self._redis, oldest.entry_id):
            if not outbox.is_overdue(now):
                return
            reason = "overdue"
        else:
            reason = "gone"
        self._observe(AccessBatchesLost(log_id=log.log_id, after=outbox.stored, reason=reason))
        outbox.send_again(now)

    async def _send(self, log: Log, outbox: Outbox) -> None:
        while batches := await self._on_disk(partial(self._next_batches, log, outbox)):
            answers = await append_batches(self._redis, [batch.fields for batch in batches])
            for answer, batch in zip(answers, batches, strict=True):
                if isinstance(answer, RedisError):
                    raise answer  # what stands before it is sent; what follows it comes again
                outbox.note_sent(Sent(answer, batch.last, batch.bytes), batch.base, self._now())
            if batches[-1].last >= log.segments.last:
                return  # what was written since waits for the next step

    def _next_batches(self, log: Log, outbox: Outbox) -> list[Prepared]:
        return next_batches(
            log,
            self._batch_tags,
            self._node,
            sent=outbox.sent,
            stored=outbox.stored,
            announced=outbox.announced,
            bytes_max=min(outbox.room_bytes, ROUND_TRIP_BYTES_MAX),
        )

    async def _on_disk(self, call: Callable[[], ResultT]) -> ResultT:
        try:
            return await self._disk.run(call)
        except OSError as error:
            raise FilesFailed(str(error)) from error
