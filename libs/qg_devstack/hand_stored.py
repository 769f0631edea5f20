"""Snapshots put into Redis by hand: for tests and benchmarks that want data planes and no worker."""

import io
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping

import msgspec
from redis.asyncio import Redis

from qg_bundle.snapshots.codec import seal_header
from qg_bundle.snapshots.encoding import StoredWriter
from qg_bundle.snapshots.writer import Piece, SnapshotWriter
from qg_core.signatures import Tagger
from qg_core.snapshots import ENCODINGS, PIECE_BYTES, SnapshotHeader


class HandStored(msgspec.Struct, frozen=True):
    """A snapshot as a worker would have stored it."""

    header: SnapshotHeader
    sealed: bytes
    bodies: Mapping[str, bytes]

    async def pieces(self) -> AsyncIterator[Piece]:
        """All pieces of all encodings."""
        for encoding, body in self.bodies.items():
            for number, start in enumerate(range(0, len(body), PIECE_BYTES)):
                yield encoding, number, body[start : start + PIECE_BYTES]

    async def put(self, redis: Redis) -> bool:
        """Put it unless a newer one is there."""
        return await SnapshotWriter(redis).put(self.header, self.sealed, self.pieces())


def store_by_hand(
    tags: Tagger,
    gateway_id: str,
    endpoint_id: str,
    producer: str,
    number: int,
    chunks: Iterable[bytes],
    row_count: int,
    *,
    truncated: bool = False,
    created_at: float | None = None,
) -> HandStored:
    """Encode and tag a snapshot; `chunks` are encoded rows with their commas, `created_at` is Unix seconds."""
    sinks = {encoding: io.BytesIO() for encoding in ENCODINGS}
    writer = StoredWriter(sinks)
    for chunk in chunks:
        writer.write(chunk)
    text = writer.finish()
    header = SnapshotHeader(
        gateway_id=gateway_id,
        endpoint_id=endpoint_id,
        snapshot_id=str(uuid.uuid4()),
        number=number,
        producer=producer,
        created_at=time.time() if created_at is None else created_at,
        row_count=row_count,
        truncated=truncated,
        rows_bytes=text.rows_bytes,
        rows_crc32=text.rows_crc32,
        encodings=text.encodings,
    )
    bodies = {encoding: sink.getvalue() for encoding, sink in sinks.items()}
    return HandStored(header, seal_header(tags, header), bodies)
