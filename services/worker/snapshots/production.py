"""Running a snapshot's statement: rows are streamed from the database through the encoders into the spool.

No row is kept as a Python object beyond its batch. The session is back in its pool before anything is written to
Postgres: the database is never held up by ours.
"""

import asyncio
import time

import msgspec

from qg_bundle.snapshots.encoding import StoredText, StoredWriter
from qg_core.snapshots import TEXT_HEAD
from qg_oracle.deadlines import Deadline
from qg_oracle.errors import to_preview_error
from qg_oracle.execute import CallCancelled, ResultStream, execute
from qg_oracle.pools import Pools
from qg_oracle.statements import make_tags
from worker.runs.definitions import Definition
from worker.runs.live import Interrupted, LiveRun
from worker.snapshots.refusals import SnapshotTooLarge, SpoolFailed
from worker.snapshots.spool import SpooledFiles


class Result(msgspec.Struct, frozen=True):
    """A whole result in the spool. `read_at` is when its statement was begun, in Unix seconds."""

    files: SpooledFiles
    text: StoredText
    read_at: float
    row_count: int
    truncated: bool


class Production:
    """Produces results into spooled files, within `bytes_max` bytes of text."""

    def __init__(self, pools: Pools, *, worker_name: str, bytes_max: int) -> None:
        self._pools = pools
        self._user = f"worker:{worker_name}"
        self._bytes_max = bytes_max

    async def produce(self, definition: Definition, live: LiveRun, files: SpooledFiles, timeout_ms: int) -> Result:
        """Run the statement, at most `timeout_ms`, and spool what it gives.

        Raises `Interrupted`, `SnapshotRefused` and what `execute` raises, a refused statement as `QueryRefused`.
        """
        live.check()
        read_at = time.time()
        pool = self._pools.get(definition.target)
        tags = make_tags(self._user, definition.endpoint.path, live.run_id.replace("-", ""))
        deadline = Deadline.after_ms(timeout_ms)
        try:
            stream = await execute(
                pool, definition.statement, definition.binds, deadline, tags, live.cancel, explain=to_preview_error
            )
            try:
                text = await self._spool(stream, live, files)
            finally:
                stream.close()
        except CallCancelled as cancelled:
            raise Interrupted(cancelled.reason) from cancelled
        except OSError as error:  # the driver's own have become gateway errors
            raise SpoolFailed(error) from error
        return Result(files, text, read_at, stream.row_count, stream.truncated)

    async def _spool(self, stream: ResultStream, live: LiveRun, files: SpooledFiles) -> StoredText:
        """Encode off the loop, one chunk while the next one is fetched: at most two are in memory."""
        writer = await asyncio.to_thread(StoredWriter, files.sinks)
        writing: asyncio.Future[None] | None = None
        try:
            async for chunk in stream:
                live.check()
                if len(TEXT_HEAD) + stream.size > self._bytes_max:
                    raise SnapshotTooLarge(self._bytes_max)
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(asyncio.to_thread(writer.write, chunk))
        finally:
            if writing is not None:
                # Also when something failed: the files are closed after this, and the thread must be out of them.
                await asyncio.wait([writing])
        if writing is not None:
            writing.result()
        return await asyncio.to_thread(_finish, writer, files)


def _finish(writer: StoredWriter, files: SpooledFiles) -> StoredText:
    text = writer.finish()
    files.flush()
    return text
