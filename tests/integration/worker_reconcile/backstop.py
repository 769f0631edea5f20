"""One worker's reconciliation on real Postgres and Redis, and snapshots for it to look after."""

import base64
import io
import os
import time
import uuid
from collections.abc import AsyncIterator

import msgspec
from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.link import open_link
from qg_bundle.snapshots.codec import seal_header
from qg_bundle.snapshots.encoding import StoredWriter
from qg_bundle.snapshots.reader import SnapshotReader
from qg_bundle.snapshots.writer import SnapshotWriter
from qg_core.snapshots import GZIP, PIECE_BYTES, ZSTD, SnapshotHeader
from qg_security.signing import Ed25519Verifier
from qg_security.tags import SNAPSHOT_CONTEXT, TagKeys
from qg_store.engine import make_engine, make_sessions
from qg_store.repositories import snapshots as store
from qg_telemetry.events import Event
from tests.integration.publishing.rig import GATEWAY, Keys
from worker.reconcile import Pace, Reconcile

FAST = Pace(every_s=0.1, chance_s=0.1)


class Stored(msgspec.Struct, frozen=True):
    """A snapshot that is in Postgres."""

    header: SnapshotHeader
    sealed: bytes
    pieces: dict[tuple[str, int], bytes]


class Backstop:
    """What a worker has for it; several may share databases and keys."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        bundle_keys: Keys,
        *,
        pace: Pace = FAST,
        snapshots_redis_bytes_max: int = 100_000_000,
    ) -> None:
        self.events: list[Event] = []
        self.engine = make_engine(database_url)
        self.sessions = make_sessions(self.engine)
        self.redis: Redis = open_link(redis_url)
        self.tags = TagKeys([bundle_keys.seal], SNAPSHOT_CONTEXT)
        self.writer = SnapshotWriter(self.redis)
        self.reader = SnapshotReader(self.redis, self.tags, GATEWAY)
        self.reconcile = Reconcile(
            sessions=self.sessions,
            redis=self.redis,
            gateway_id=GATEWAY,
            verifier=Ed25519Verifier([bundle_keys.verify]),
            snapshot_reader=self.reader,
            snapshot_writer=self.writer,
            snapshots_redis_bytes_max=snapshots_redis_bytes_max,
            observe=self.events.append,
            pace=pace,
        )

    async def close(self) -> None:
        await self.reconcile.close()
        await self.redis.aclose()
        await self.engine.dispose()

    def saw(self, event: str, **fields: object) -> bool:
        """Whether such an event was observed."""
        return any(
            found.event == event and all(getattr(found, name) == value for name, value in fields.items())
            for found in self.events
        )

    @property
    def repaired(self) -> list[tuple[str, int]]:
        """(reason, how many) of every repair of snapshots so far."""
        return [(event.reason, event.total) for event in self.events if event.event == "snapshots_repaired"]  # type: ignore[attr-defined]  # of this event

    async def store(self, endpoint_id: str, text_bytes: int = 1_000) -> Stored:
        """Commit a snapshot of random text, as a job run would; nothing of it in Redis yet."""
        sinks = {name: io.BytesIO() for name in (ZSTD, GZIP)}
        writer = StoredWriter(sinks)
        writer.write(base64.b64encode(os.urandom(text_bytes)))
        text = writer.finish()
        async with self.sessions() as session:
            header = SnapshotHeader(
                gateway_id=GATEWAY,
                endpoint_id=endpoint_id,
                snapshot_id=str(uuid.uuid4()),
                number=await store.take_number(session),
                producer="ab" * 32,
                created_at=time.time(),
                row_count=1,
                truncated=False,
                rows_bytes=text.rows_bytes,
                rows_crc32=text.rows_crc32,
                encodings=text.encodings,
            )
            sealed = seal_header(self.tags, header)
            pieces = {
                (name, number): sink.getvalue()[number * PIECE_BYTES :][:PIECE_BYTES]
                for name, sink in sinks.items()
                for number in range(header.encodings[name].pieces)
            }
            await store.add(
                session,
                store.NewSnapshot(
                    id=header.snapshot_id,
                    number=header.number,
                    endpoint_id=endpoint_id,
                    job_run_id=str(uuid.uuid4()),
                    producer=header.producer,
                    header=sealed,
                    row_count=1,
                    truncated=False,
                    bytes=header.rows_bytes,
                    stored_bytes=header.stored_bytes,
                ),
                _as_rows(pieces),
            )
            await session.commit()
        return Stored(header, sealed, pieces)

    async def copy(self, stored: Stored) -> None:
        """Put it into Redis, as a job run does after its commit."""
        assert await self.writer.put(stored.header, stored.sealed, _as_pieces(stored.pieces))

    async def is_whole(self, stored: Stored) -> bool:
        """Whether Redis has exactly this snapshot as the newest of its endpoint."""
        header = stored.header
        found = await self.redis.get(keys.snapshot(header.endpoint_id))
        pieces = [
            await self.redis.get(keys.snapshot_piece(header.snapshot_id, *piece)) == body
            for piece, body in stored.pieces.items()
        ]
        numbers = await self.reader.numbers_of([header.endpoint_id])
        return found == stored.sealed and all(pieces) and numbers == {header.endpoint_id: header.number}

    async def contents(self) -> dict[str, object]:
        """Every key of Redis with what it holds, but for what tells when it was written."""
        found: dict[str, object] = {}
        async for raw in self.redis.scan_iter(match="qg:*"):
            name = raw.decode()
            if name in {keys.BEACON, keys.SNAPSHOTS_VERSION}:
                continue
            if await self.redis.type(name) == b"zset":
                found[name] = sorted(await self.redis.zrange(name, 0, -1))
            elif name.startswith(keys.SNAPSHOT_PARTS_PREFIX):
                found[name] = sorted((await self.redis.get(name)).split())
            else:
                found[name] = await self.redis.get(name)
        return found


async def _as_rows(pieces: dict[tuple[str, int], bytes]) -> AsyncIterator[store.Piece]:
    for (encoding, number), body in pieces.items():
        yield store.Piece(encoding, number, body)


async def _as_pieces(pieces: dict[tuple[str, int], bytes]) -> AsyncIterator[tuple[str, int, bytes]]:
    for (encoding, number), body in pieces.items():
        yield encoding, number, body
