"""The copy of a snapshot in Redis, made after its commit: fenced by its number, repaired by reconciliation."""

import asyncio
from collections.abc import AsyncIterator

from qg_bundle.snapshots.writer import Piece, SnapshotWriter
from qg_core.snapshots import SnapshotHeader
from qg_telemetry.events import Observe, SnapshotCopyFailed
from worker.snapshots.refusals import SpoolFailed
from worker.snapshots.spool import SpooledFiles
from worker.supervised import first_line


class Copying:
    """Copies what was stored."""

    def __init__(self, writer: SnapshotWriter, observe: Observe) -> None:
        self._writer = writer
        self._observe = observe

    async def copy(self, header: SnapshotHeader, sealed: bytes, files: SpooledFiles) -> None:
        """Put the snapshot into Redis unless a newer one is there. A failure is an event and nothing else."""
        try:
            await self._writer.put(header, sealed, spooled_pieces(header, files))
        except Exception as error:  # noqa: BLE001 - the run has ended well, whatever becomes of its copy
            self._observe(
                SnapshotCopyFailed(
                    endpoint_id=header.endpoint_id,
                    snapshot_id=header.snapshot_id,
                    error=type(error).__name__,
                    detail=first_line(error),
                )
            )


async def spooled_pieces(header: SnapshotHeader, files: SpooledFiles) -> AsyncIterator[Piece]:
    """All pieces that the header names, one in memory at a time. Raises `SpoolFailed`."""
    for encoding, body in header.encodings.items():
        for number in range(body.pieces):
            try:
                piece = await asyncio.to_thread(files.piece, encoding, number)
            except OSError as error:
                raise SpoolFailed(error) from error
            yield encoding, number, piece
