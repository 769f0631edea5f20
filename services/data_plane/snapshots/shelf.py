"""What this node serves: the newest verified snapshot of each endpoint, in memory when small, else from its files.

The follower puts and takes away; requests read. Files are read in threads, once for all requests that wait for them.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from data_plane.snapshots.failures import DISK_FULL, PASSING, FilesFailed
from data_plane.snapshots.files import SnapshotFiles, Text, next_bytes
from data_plane.snapshots.memory import Held, Key, SnapshotMemory
from qg_core.snapshots import ENCODINGS, IDENTITY, SnapshotHeader
from qg_telemetry.events import Observe, SnapshotFilesFailed

READERS = 3
DECODE_AGAIN_S = 60.0
"""After the disk had no room for a plain text."""

ResultT = TypeVar("ResultT")


class Entry:
    """One snapshot that is served; `etag` without the part of the shape.

    `decode_at` (monotonic) is when its text may be decoded into a file, should somebody ask for it.
    """

    __slots__ = ("decode_at", "etag", "header")

    def __init__(self, header: SnapshotHeader) -> None:
        self.header = header
        self.etag = header.snapshot_id.encode("ascii")
        self.decode_at = 0.0


class Shelf:
    """`on_lost` is told when a file of a served snapshot turned out to be gone or altered."""

    def __init__(self, files: SnapshotFiles, memory: SnapshotMemory, observe: Observe) -> None:
        self._files = files
        self._memory = memory
        self._observe = observe
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="snapshot-read")
        self._loading: dict[Key, asyncio.Task[Held | None]] = {}
        self.entries: dict[str, Entry] = {}
        """By endpoint id."""
        self.on_lost: Callable[[], None] = _nobody

    @property
    def memory(self) -> SnapshotMemory:
        return self._memory

    def put(self, header: SnapshotHeader) -> SnapshotHeader | None:
        """Serve this snapshot from now on; the one before, whose files may go."""
        before = self.take(header.endpoint_id)
        self.entries[header.endpoint_id] = Entry(header)
        return before

    def take(self, endpoint_id: str) -> SnapshotHeader | None:
        """Serve no snapshot of this endpoint any more; the one that was served."""
        entry = self.entries.pop(endpoint_id, None)
        if entry is None:
            return None
        for encoding in (*ENCODINGS, IDENTITY):
            self._memory.drop((entry.header.snapshot_id, encoding))
        return entry.header

    def plain_texts(self) -> list[SnapshotHeader]:
        """Those whose text was decoded into a file, which may go when room is needed. They are made anew later."""
        decoded = [entry for entry in self.entries.values() if entry.decode_at == float("inf")]
        for entry in decoded:
            entry.decode_at = time.monotonic() + DECODE_AGAIN_S
        return [entry.header for entry in decoded]

    async def held(self, entry: Entry, encoding: str) -> Held | None:
        """The bytes of an encoding; null when they are too large for memory and are to be streamed.

        Raises `FilesFailed`; the entry is taken away then.
        """
        header = entry.header
        key = (header.snapshot_id, encoding)
        found = self._memory.get(key)
        if found is not None:
            return found
        if self._size(header, encoding) > self._memory.item_bytes_max and (
            encoding != IDENTITY or time.monotonic() < entry.decode_at
        ):
            return None
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.create_task(self._load(entry, encoding))
            loading.add_done_callback(lambda task: self._loaded(key, task))
        # Shielded: one client that gives up must not take it from those that wait.
        return await asyncio.shield(loading)

    async def stream(self, entry: Entry, encoding: str) -> "TextReader":
        """The bytes of an encoding, read while they are sent. Raises `FilesFailed` as above."""
        header = entry.header
        decode = encoding == IDENTITY and not self._files.has(header, IDENTITY)
        open_text = (lambda: self._files.decoded(header)) if decode else (lambda: self._files.stream(header, encoding))
        text: Text = await self._attempt(entry, open_text)
        return TextReader(text, self._threads)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _size(self, header: SnapshotHeader, encoding: str) -> int:
        return header.rows_bytes if encoding == IDENTITY else header.encodings[encoding].size

    async def _load(self, entry: Entry, encoding: str) -> Held | None:
        header = entry.header
        if self._size(header, encoding) > self._memory.item_bytes_max:
            await self._make_identity(entry)
            return None
        stored = await self._attempt(entry, lambda: self._files.whole(header, encoding))
        if self.entries.get(header.endpoint_id) is not entry:
            return Held(stored)
        return self._memory.put((header.snapshot_id, encoding), stored)

    async def _make_identity(self, entry: Entry) -> None:
        """Without room on the disk the text is decoded for each request instead."""
        try:
            await self._attempt(entry, lambda: self._files.make_identity(entry.header))
            entry.decode_at = float("inf")
        except FilesFailed as failed:
            if failed.reason != DISK_FULL:
                raise
            entry.decode_at = time.monotonic() + DECODE_AGAIN_S
        if self.entries.get(entry.header.endpoint_id) is not entry:
            # Replaced meanwhile: who removed its files could not see this one yet.
            await self._attempt(entry, lambda: self._files.remove_identity(entry.header))

    async def _attempt(self, entry: Entry, step: Callable[[], ResultT]) -> ResultT:
        endpoint_id = entry.header.endpoint_id
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, step)
        except FilesFailed as failed:
            # The files of one that was just replaced may be gone: that is as it should be.
            if self.entries.get(endpoint_id) is entry:
                self._tell_failed(failed, endpoint_id)
                if failed.reason not in PASSING:
                    self.take(endpoint_id)
                    self.on_lost()
            raise

    def _tell_failed(self, failed: FilesFailed, endpoint_id: str) -> None:
        self._observe(SnapshotFilesFailed(reason=failed.reason, detail=str(failed)[:300], endpoint_id=endpoint_id))

    def _loaded(self, key: Key, task: asyncio.Task[Held | None]) -> None:
        self._loading.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have waited


class TextReader:
    """One request's reading of a file, in a thread."""

    def __init__(self, text: Text, threads: ThreadPoolExecutor) -> None:
        self._text = text
        self._threads = threads
        self._reading: Future[bytes] | None = None

    async def next(self) -> bytes:
        """The next bytes; empty at the end. Raises `FilesFailed`."""
        self._reading = self._threads.submit(next_bytes, self._text)
        return await asyncio.wrap_future(self._reading)

    def close(self) -> None:
        """Close the file, after a read that still runs: its descriptor may be another file's at once."""
        if self._reading is None:
            self._text.close()
        else:
            self._reading.add_done_callback(lambda _: self._text.close())


def _nobody() -> None:
    """Nobody is told yet."""
