"""The node's memory on disk, behind a thread of its own: a slow, full or broken disk never stops the node.

While the disk fails, what could not be written waits (bounded); once more waited than is held, everything is written
afresh when the disk works again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import msgspec

from data_plane.refreshing.state_file import Highest, Remembered, StateFile, StateFileBroken, Update
from qg_telemetry.events import Observe, StateFileFailed

SAVE_WAIT_MAX_S = 0.5
"""How long a swap waits for its revision to be on disk."""

LOAD_WAIT_MAX_S = 30.0
WAITING_BYTES_MAX = 33_554_432
WAITING_UPDATES_MAX = 1_000
BEACON_EVERY_S = 30.0

ResultT = TypeVar("ResultT")


class Recalled(msgspec.Struct, frozen=True):
    """What was remembered at start; both null when there was nothing or it was unreadable."""

    bundle: Remembered | None
    highest: Highest | None


class Memory:
    """Every method returns in bounded time and none raises: failures become `StateFileFailed` events."""

    def __init__(self, file: StateFile, observe: Observe, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._observe = observe
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state-file")
        self._waiting: deque[Update] = deque()
        self._waiting_bytes = 0
        self._last_failure = ""
        self._beacon_saved_at = float("-inf")
        self._writing: asyncio.Future[None] | None = None
        self._numbering: asyncio.Future[None] | None = None
        self._saved_revision = 0
        self.needs_everything = False
        """Updates were given up: the next `remember` must hold a checkpoint and every spec."""

    async def recall(self) -> Recalled:
        """What earlier runs left here."""
        await self._attempt(self._file.open, LOAD_WAIT_MAX_S)
        highest = await self._attempt(self._file.highest, LOAD_WAIT_MAX_S)
        bundle = await self._attempt(self._file.load, LOAD_WAIT_MAX_S)
        return Recalled(bundle, highest)

    async def specs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Remembered spec bytes; absent ones are left out."""
        wanted = list(digests)
        found: dict[str, bytes] = {}
        for start in range(0, len(wanted), 500):
            batch = wanted[start : start + 500]
            found |= await self._attempt(partial(self._file.specs, batch), LOAD_WAIT_MAX_S) or {}
        return found

    async def remember(self, update: Update) -> None:
        """Write what a revision changed, before it is served: then a restart can't fall back behind it.

        Waits `SAVE_WAIT_MAX_S` at most; the writing goes on behind it.
        """
        if update.checkpoint is not None:
            self._waiting.clear()
            self._waiting_bytes = 0
            self.needs_everything = False
        if not self.needs_everything:
            self._waiting.append(update)
            self._waiting_bytes += _size_of(update)
        if (self._waiting_bytes > WAITING_BYTES_MAX and len(self._waiting) > 1) or len(
            self._waiting
        ) > WAITING_UPDATES_MAX:
            self._waiting.clear()
            self._waiting_bytes = 0
            self.needs_everything = True
        await self._flush()

    async def remember_beacon(self, body: bytes) -> None:
        """Keep a verified beacon, at most every `BEACON_EVERY_S`; also writes what still waits."""
        if time.monotonic() - self._beacon_saved_at < BEACON_EVERY_S:
            return
        self._beacon_saved_at = time.monotonic()
        if not self._file.is_open:
            await self._open_again()
        await self._flush()
        if self._is_writing:
            return
        await self._attempt(lambda: self._file.save_beacon(body), SAVE_WAIT_MAX_S)

    async def _open_again(self) -> None:
        """Another process had the directory (a predecessor that was still draining), or it could not be written."""
        await self._attempt(self._file.open, SAVE_WAIT_MAX_S)
        if self._file.is_open:
            # What lies there may be older or newer than what waits here: write all of it.
            self._waiting.clear()
            self._waiting_bytes = 0
            self.needs_everything = True

    async def close(self) -> None:
        """Write what waits, close the file."""
        await self._flush()
        if self._numbering is not None:
            await asyncio.wait([self._numbering], timeout=SAVE_WAIT_MAX_S)
        await self._attempt(self._file.close, SAVE_WAIT_MAX_S)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _flush(self) -> None:
        if self._waiting and not self._is_writing:
            self._writing = asyncio.ensure_future(self._write_waiting())
            await asyncio.wait([self._writing], timeout=SAVE_WAIT_MAX_S)

    @property
    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    async def _write_waiting(self) -> None:
        while self._waiting:
            update = self._waiting[0]
            if not await self._attempt(partial(self._save, update), None):
                return
            # A checkpoint may have replaced the queue meanwhile.
            if self._waiting and self._waiting[0] is update:
                self._waiting.popleft()
                self._waiting_bytes -= _size_of(update)
            self._saved_revision = max(self._saved_revision, update.revision)
        # Behind the bundle, and nobody waits for it: it only counts when the bundle is lost. And a number ahead of the
        # bundle could not be served.
        if self._numbering is None or self._numbering.done():
            self._numbering = asyncio.ensure_future(self._attempt(self._write_highest, None))

    def _save(self, update: Update) -> bool:
        self._file.save(update)
        return True

    def _write_highest(self) -> None:
        self._file.write_highest(self._saved_revision, self._now())

    async def _attempt(self, step: Callable[[], ResultT], wait_max_s: float | None) -> ResultT | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(wait_max_s):
                result = await loop.run_in_executor(self._thread, step)
        except StateFileBroken as broken:
            self._fail(broken.reason, str(broken))
            return None
        except TimeoutError:
            self._fail("too_slow", f"the disk took longer than {wait_max_s} s")
            return None
        except RuntimeError as error:  # the thread was shut down
            self._fail("closed", str(error))
            return None
        self._last_failure = ""
        return result

    def _fail(self, reason: str, detail: str) -> None:
        """Say it once, not with every revision."""
        if reason != self._last_failure:
            self._last_failure = reason
            self._observe(StateFileFailed(reason=reason, detail=detail[:300]))


def _size_of(update: Update) -> int:
    checkpoint = len(update.checkpoint[1]) if update.checkpoint is not None else 0
    return checkpoint + sum(map(len, update.specs.values())) + sum(len(body) for _, body in update.deltas)
