"""One snapshot from Redis into this node's files, piece by piece: verified as a whole before it is there."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from data_plane.snapshots.failures import ALTERED, FilesFailed
from data_plane.snapshots.files import SnapshotFiles
from qg_bundle.rejections import Reason
from qg_bundle.snapshots.codec import rejected_snapshot
from qg_bundle.snapshots.reader import SealedHeader, SnapshotReader

ResultT = TypeVar("ResultT")


class Fetching:
    """Holds one piece of 512 KiB at a time; files are written in `thread`, which has one worker."""

    def __init__(self, reader: SnapshotReader, files: SnapshotFiles, thread: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._files = files
        self._thread = thread

    async def fetch(self, sealed: SealedHeader) -> None:
        """Keep all encodings, then the header. What is not whole leaves nothing behind.

        Raises `BundleRejected`, `FilesFailed` and one of `link.LINK_ERRORS`.
        """
        header = sealed.header
        try:
            for encoding in header.encodings:
                await self._fetch_encoding(sealed, encoding)
            await self._run(lambda: self._files.keep_header(header, self._reader.under_newest_key(sealed)))
        except BaseException:
            self._thread.submit(self._files.remove, header.endpoint_id, header.snapshot_id)
            raise

    async def _fetch_encoding(self, sealed: SealedHeader, encoding: str) -> None:
        header = sealed.header
        body = header.encodings[encoding]
        writing = await self._run(lambda: self._files.begin(header, encoding))
        try:
            for number in range(body.pieces):
                piece = await self._reader.piece(header, encoding, number)
                await self._run(partial(writing.write, piece))
            await self._run(lambda: writing.finish(body.sha256))
        except FilesFailed as failed:
            if failed.reason != ALTERED:
                raise
            detail = f"its {encoding} is not what its header names"
            raise rejected_snapshot(Reason.DIGEST_MISMATCH, header.endpoint_id, detail) from failed
        finally:
            # In the thread: behind a write that may still run when this was cancelled.
            self._thread.submit(writing.close)

    async def _run(self, step: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)
