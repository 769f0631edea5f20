"""The access log of this node: `begin` with every request, `end` and `record` what they became, many at a time.

The event loop only gives numbers and joins lines; a thread writes them, a task sends them. The hot path waits for
neither: where the disk or Redis can't follow, events wait within bounds, and beyond them are dropped and counted.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from functools import partial

import msgspec

from data_plane.access_log.disk_thread import DiskThread
from data_plane.access_log.log import Chunk, Log, joined
from data_plane.access_log.logs import Logs
from data_plane.access_log.sender import FilesFailed, Sender
from data_plane.access_log.sequence import Sequence as Numbers
from data_plane.access_log.trouble import Trouble
from qg_bundle.link import LINK_ERRORS, end_tasks
from qg_core.access_events import AccessEvent
from qg_telemetry.events import (
    AccessEventsDropped,
    AccessLogFailed,
    AccessLogRecovered,
    AccessSendingFailed,
    AccessSendingResumed,
    Observe,
    UnforeseenError,
)

WAITING_BYTES_MAX = 8_388_608
"""Lines that the disk has not taken yet."""

HAND_OVER_S = 0.2
HAND_OVER_BYTES = 262_144
"""How long, and up to how many bytes (half a file at most), lines are gathered for the disk's thread: waking it costs
more than a write. A kill loses, and counts, what was gathered."""

GATHER_S = 0.5
"""How long events are gathered into batches."""

LOOK_EVERY_S = 1.0
BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 5.0
TELL_DROPPED_EVERY_S = 10.0
CLOSE_DISK_S = 2.0
CLOSE_SEND_S = 2.0

_encode_lines = msgspec.json.Encoder().encode_lines


class Recorder:
    """Make it in the event loop; `await start()`, `await close()`. Nothing here raises."""

    def __init__(self, logs: Logs, disk: DiskThread, sender: Sender, observe: Observe) -> None:
        self._logs = logs
        self._disk = disk
        self._sender = sender
        self._observe = observe
        self._numbers = Numbers()
        self._log: Log | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._files = Trouble(observe, lambda away_s: AccessLogRecovered(away_s=away_s))
        self._link = Trouble(observe, lambda away_s: AccessSendingResumed(away_s=away_s))
        self._gathered: list[Chunk] = []
        self._gathered_bytes = 0
        self._handed_bytes = 0
        self._hand_over_bytes = min(HAND_OVER_BYTES, logs.segment_bytes_max // 2)
        self._dropped = 0
        self._dropped_up_to = 0
        self._untold = 0
        self._told_at = float("-inf")
        self.begin = self._numbers.begin
        """Count a request as running; `end` must follow."""
        self.end = self._numbers.end
        """The first of the numbers of so many requests that are over."""

    async def start(self) -> None:
        """Take over what earlier processes left, and begin to send. Waits for the disk, at most `CLOSE_DISK_S`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_DISK_S):
                await self._open()
        self._task = asyncio.create_task(self._run())

    def record(self, events: Sequence[AccessEvent]) -> None:
        """Take the events of requests that are over, in the order of their numbers, which `end` has just given."""
        log = self._log
        if log is None or self._handed_bytes - log.written_bytes > WAITING_BYTES_MAX:
            self._drop(events)
            return
        lines = _encode_lines(events)
        self._handed_bytes += len(lines)
        self._gathered.append(Chunk(lines, events[0].sequence, events[-1].sequence, len(events)))
        self._gathered_bytes += len(lines)
        if self._gathered_bytes > self._hand_over_bytes:
            self._hand_over()
        elif len(self._gathered) == 1:
            asyncio.get_running_loop().call_later(HAND_OVER_S, self._hand_over)

    async def close(self) -> None:
        """Write everything, try once to send it, and let go of the files; bounded in time whatever hangs."""
        self._hand_over()
        await end_tasks(self._task)
        try:
            async with asyncio.timeout(CLOSE_SEND_S):
                await self._pass()
        except (TimeoutError, FilesFailed, *LINK_ERRORS):
            pass  # it is in the files, and the next process sends it
        except Exception as error:  # noqa: BLE001  # whatever it was: the rest is to be closed
            self._report(error)
        # Requests that outlived the grace period may have ended meanwhile.
        self._hand_over()
        self._numbers.let_go()
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_DISK_S):
                await self._disk.run(self._logs.close)
        self._disk.close()

    @property
    def segment_bytes(self) -> int:
        """Of lines in files."""
        return self._logs.bytes

    @property
    def events_waiting(self) -> int:
        """Events that are not known to be stored."""
        total = 0
        for log in self._logs.all:
            last = self._numbers.last if log is self._log else log.gone_up_to
            total += max(0, last - log.settled_before(self._sender.stored(log.log_id)))
        return total

    @property
    def events_dropped(self) -> int:
        """Events that this process dropped."""
        return self._dropped + self._logs.dropped

    @property
    def events_gap(self) -> int:
        """Requests of killed processes that left no event."""
        return self._logs.gap

    @property
    def outstanding_bytes(self) -> int:
        """Sent and not known to be stored."""
        return self._sender.outstanding_bytes

    async def _run(self) -> None:
        backoff_s = BACKOFF_MIN_S
        while True:
            try:
                await self._pass()
            except Exception as error:  # noqa: BLE001  # whatever it was: this loop ends with the process
                self._report(error)
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)
                continue
            self._link.over()
            backoff_s = BACKOFF_MIN_S
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            await asyncio.sleep(GATHER_S)

    async def _pass(self) -> None:
        """Open, write what could not be written, send. Raises one of `LINK_ERRORS`, `FilesFailed`."""
        self._tell_dropped()
        # Before word of what was dropped: those numbers are larger.
        self._hand_over()
        log = self._log
        if log is None:
            log = await self._open()
        if log is not None:
            await self._disk.run(partial(self._write_again, log, self._dropped_up_to))
            if self._logs.is_read:
                await self._sender.step()

    async def _open(self) -> Log | None:
        try:
            log = await self._disk.run(self._logs.open)
        except OSError as error:
            self._files.found(AccessLogFailed(detail=str(error)))
            return None
        self._log = log
        ended_before = self._numbers.last
        opened_after = self._numbers.continue_in(log.counter.cells, log.gone_up_to)
        # Reading may take seconds, and lines that come meanwhile wait behind it.
        self._disk.post(self._try_to_write)
        if ended_before:
            self._disk.post(partial(log.lose_up_to, opened_after))
        return log

    def _hand_over(self) -> None:
        if self._gathered:
            chunk = joined(self._gathered)
            self._gathered = []
            self._gathered_bytes = 0
            self._disk.post(partial(self._write, chunk))
            self._news.set()

    def _write(self, chunk: Chunk) -> None:
        """On the disk's thread."""
        self._logs.put(chunk)
        self._try_to_write()

    def _write_again(self, log: Log, dropped_up_to: int) -> None:
        """On the disk's thread: what is waiting, and word of what will never come."""
        self._try_to_write()
        log.lose_up_to(dropped_up_to)

    def _try_to_write(self) -> None:
        try:
            self._logs.write(self._sender.stored)
        except OSError as error:
            self._files.found(AccessLogFailed(detail=str(error)))
        else:
            self._files.over()

    def _drop(self, events: Sequence[AccessEvent]) -> None:
        self._dropped += len(events)
        self._untold += len(events)
        if self._log is not None:
            self._dropped_up_to = events[-1].sequence
        self._tell_dropped()

    def _tell_dropped(self) -> None:
        now = time.monotonic()
        if self._untold and now - self._told_at >= TELL_DROPPED_EVERY_S:
            self._observe(AccessEventsDropped(events=self._untold, reason="memory"))
            self._untold = 0
            self._told_at = now

    def _report(self, error: Exception) -> None:
        if isinstance(error, FilesFailed):
            self._files.found(AccessLogFailed(detail=str(error)))
        elif isinstance(error, LINK_ERRORS):
            self._link.found(AccessSendingFailed(error=type(error).__name__, detail=str(error)))
        else:
            self._observe(UnforeseenError.of("access log", error))
