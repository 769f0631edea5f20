"""The snapshots that earlier runs of this node left in `STATE_DIR`, verified again before they are served."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from data_plane.snapshots.failures import FilesFailed
from data_plane.snapshots.files import SnapshotFiles
from data_plane.snapshots.shelf import Shelf
from qg_bundle.rejections import BundleRejected, Reason
from qg_bundle.snapshots.codec import rejected_snapshot
from qg_bundle.snapshots.reader import SealedHeader, SnapshotReader
from qg_core.snapshots import SnapshotHeader
from qg_telemetry.events import Observe, SnapshotFilesFailed, SnapshotRejected, SnapshotTaken

ResultT = TypeVar("ResultT")


class Recall:
    """Reads and hashes in `thread`."""

    def __init__(
        self,
        reader: SnapshotReader,
        files: SnapshotFiles,
        shelf: Shelf,
        thread: ThreadPoolExecutor,
        observe: Observe,
    ) -> None:
        self._reader = reader
        self._files = files
        self._shelf = shelf
        self._thread = thread
        self._observe = observe

    async def run(self, serves: Callable[[str], bool]) -> None:
        """Put what verifies on the shelf, the newest of each endpoint; remove the rest, and what nobody `serves`.

        Raises `FilesFailed` when the directory can't be used at all.
        """
        found = await self._run(self._files.open)
        opened = [sealed for owner in found if (sealed := await self._opened(*owner)) is not None]
        for sealed in sorted(opened, key=lambda each: (each.header.created_at, each.header.number), reverse=True):
            header = sealed.header
            if header.endpoint_id in self._shelf.entries or not serves(header.endpoint_id):
                await self._remove(header.endpoint_id, header.snapshot_id)
            else:
                await self._take(sealed)

    async def _opened(self, endpoint_id: str, snapshot_id: str) -> SealedHeader | None:
        try:
            body = await self._run(lambda: self._files.header(endpoint_id, snapshot_id))
            sealed = self._header(endpoint_id, snapshot_id, body)
        except FilesFailed as failed:
            self._tell_failed(failed, endpoint_id)
        except BundleRejected as rejected:
            self._observe(
                SnapshotRejected(reason=rejected.reason.value, detail=rejected.detail, endpoint_id=endpoint_id)
            )
        else:
            return sealed
        await self._remove(endpoint_id, snapshot_id)
        return None

    def _header(self, endpoint_id: str, snapshot_id: str, body: bytes) -> SealedHeader:
        sealed = self._reader.open(endpoint_id, body)
        if sealed.header.snapshot_id != snapshot_id:
            raise rejected_snapshot(Reason.OTHER_SUBJECT, endpoint_id, "a file on disk is another snapshot's")
        return sealed

    async def _take(self, sealed: SealedHeader) -> None:
        header = sealed.header
        started = time.perf_counter()
        try:
            await self._run(lambda: self._files.verify(header))
        except FilesFailed as failed:
            self._tell_failed(failed, header.endpoint_id)
            await self._remove(header.endpoint_id, header.snapshot_id)
            return
        await self._keep_under_newest_key(sealed)
        self._shelf.put(header)
        self._observe(taken(header, "disk", started))

    async def _keep_under_newest_key(self, sealed: SealedHeader) -> None:
        """After a rotation the next start has the newest key alone."""
        body = self._reader.under_newest_key(sealed)
        if body != sealed.body:
            try:
                await self._run(lambda: self._files.keep_header(sealed.header, body))
            except FilesFailed as failed:
                self._tell_failed(failed, sealed.header.endpoint_id)

    async def _remove(self, endpoint_id: str, snapshot_id: str) -> None:
        try:
            await self._run(lambda: self._files.remove(endpoint_id, snapshot_id))
        except FilesFailed as failed:
            self._tell_failed(failed, endpoint_id)

    def _tell_failed(self, failed: FilesFailed, endpoint_id: str) -> None:
        self._observe(SnapshotFilesFailed(reason=failed.reason, detail=str(failed)[:300], endpoint_id=endpoint_id))

    async def _run(self, step: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)


def taken(header: SnapshotHeader, source: str, started: float) -> SnapshotTaken:
    """The event of a snapshot that is served now; `started` is on `time.perf_counter()`'s clock."""
    return SnapshotTaken(
        endpoint_id=header.endpoint_id,
        snapshot_id=header.snapshot_id,
        number=header.number,
        row_count=header.row_count,
        stored_bytes=header.stored_bytes,
        source=source,
        took_ms=round((time.perf_counter() - started) * 1_000, 1),
    )
