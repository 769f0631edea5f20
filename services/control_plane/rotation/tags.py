"""`BUNDLE_SEAL_KEY`: what is tagged under a key derived from it: snapshots, watermarks, batches of access events.

Copies on the disks of data planes are tagged again by the data planes themselves, when they start with the newest key.
"""

import asyncio
import time

from redis.asyncio import Redis

from control_plane.rotation import audit
from control_plane.rotation.steps import Count, Tell
from qg_bundle.access.codec import PersistedRefused, is_tagged_newest, persisted_value, read_persisted
from qg_bundle.access.key_rotation import all_persisted, waiting_batches
from qg_bundle.access.persisted import Replacement, replace_watermarks
from qg_bundle.rejections import BundleRejected
from qg_bundle.snapshots.codec import retagged_header
from qg_bundle.snapshots.reader import SnapshotReader
from qg_bundle.snapshots.writer import SnapshotWriter
from qg_core.signatures import Tagger
from qg_store.engine import SessionFactory
from qg_store.repositories import access_sources, snapshot_headers
from qg_store.repositories.snapshot_headers import StoredHeader

HEADERS_PER_BATCH = 200
WATERMARKS_PER_BATCH = 500
BATCHES_WAIT_S = 30.0
BATCHES_LOOK_S = 0.5


class SnapshotsInPostgres:
    """The headers of all stored snapshots; `tags` holds all keys."""

    variable = "BUNDLE_SEAL_KEY"
    what = "tags of snapshots in Postgres"

    def __init__(self, sessions: SessionFactory, tags: Tagger, gateway_id: str) -> None:
        self._sessions = sessions
        self._tags = tags
        self._gateway_id = gateway_id

    async def count(self) -> Count:
        """`broken` are those that no key of ours has tagged: they are served nowhere."""
        total = older = broken = 0
        after = 0
        while batch := await self._page(after):
            again = [self._retagged(stored) for stored in batch]
            total, after = total + len(batch), batch[-1].number
            broken += again.count(None)
            older += sum(new not in (None, stored.header) for stored, new in zip(batch, again, strict=True))
        return Count(total, older, broken)

    async def run(self, tell: Tell) -> int:
        """Tag them again; their rows, pieces and numbers stay."""
        done = 0
        after = 0
        while batch := await self._page(after):
            after = batch[-1].number
            again = {stored: new for stored in batch if (new := self._retagged(stored)) not in (None, stored.header)}
            if not again:
                continue
            async with self._sessions() as session:
                changed = 0
                for stored, header in again.items():
                    changed += await snapshot_headers.replace(session, stored.id, stored.header, header or b"")
                await audit.note(session, f"Tagged {changed} snapshots again under the newest key.")
                await session.commit()
            done += changed
            tell(f"{self.what}: {done} tagged again")
        return done

    async def _page(self, after: int) -> list[StoredHeader]:
        async with self._sessions() as session:
            return await snapshot_headers.page(session, after, HEADERS_PER_BATCH)

    def _retagged(self, stored: StoredHeader) -> bytes | None:
        try:
            return retagged_header(self._tags, self._gateway_id, stored.endpoint_id, stored.header)
        except BundleRejected:
            return None


class SnapshotsInRedis:
    """The headers of the copies; their pieces have no tag of their own."""

    variable = "BUNDLE_SEAL_KEY"
    what = "tags of snapshots in Redis"

    def __init__(self, reader: SnapshotReader, writer: SnapshotWriter, tags: Tagger, gateway_id: str) -> None:
        self._reader = reader
        self._writer = writer
        self._tags = tags
        self._gateway_id = gateway_id

    async def count(self) -> Count:
        """What does not verify was altered: workers put it again from Postgres."""
        found = await self._found()
        return Count(len(found), sum(before != after for before, after in found.values()))

    async def run(self, tell: Tell) -> int:
        """Tag them again where they stand; no data plane has to fetch anything."""
        done = 0
        for endpoint_id, (before, after) in (await self._found()).items():
            if before != after:
                done += await self._writer.replace_header(endpoint_id, before, after)
        if done:
            tell(f"{self.what}: {done} tagged again")
        return done

    async def _found(self) -> dict[str, tuple[bytes, bytes]]:
        """Endpoint -> its header as it is, and under the newest key."""
        found: dict[str, tuple[bytes, bytes]] = {}
        for endpoint_id in await self._reader.numbers():
            try:
                body = (await self._reader.header(endpoint_id)).body
                found[endpoint_id] = body, retagged_header(self._tags, self._gateway_id, endpoint_id, body)
            except BundleRejected:
                continue
        return found


class Watermarks:
    """How far each log of a data plane is stored, as workers said it. One of a silent log is not moved by itself.

    One that says more than Postgres was made by somebody who had the older key: its data plane would go on dropping
    events that nobody stored. What Postgres says is put in its place.
    """

    variable = "BUNDLE_SEAL_KEY"
    what = "tags of watermarks"

    def __init__(self, sessions: SessionFactory, redis: Redis, tags: Tagger) -> None:
        self._sessions = sessions
        self._redis = redis
        self._tags = tags

    async def count(self) -> Count:
        """What does not verify was altered: workers put it again."""
        found = await self._found()
        return Count(len(found), sum(before != after for before, after in found.values()))

    async def run(self, tell: Tell) -> int:
        """Tag them again where they stand; one that a worker has moved meanwhile is under its key already."""
        done = 0
        found = (await self._found()).items()
        older = [Replacement(log_id, before, after) for log_id, (before, after) in found if before != after]
        for start in range(0, len(older), WATERMARKS_PER_BATCH):
            batch = older[start : start + WATERMARKS_PER_BATCH]
            done += len(batch) - len(await replace_watermarks(self._redis, batch))
        if done:
            tell(f"{self.what}: {done} tagged again")
        return done

    async def _found(self) -> dict[str, tuple[bytes, bytes]]:
        found: dict[str, tuple[bytes, bytes]] = {}
        marks = await all_persisted(self._redis)
        # After Redis: what workers had put there was committed before.
        async with self._sessions() as session:
            stored = await access_sources.watermarks(session)
        for log_id, value in marks.items():
            try:
                sequence = read_persisted(self._tags, log_id, value)
            except PersistedRefused:
                continue
            again = persisted_value(self._tags, log_id, sequence)
            if again != value:
                again = persisted_value(self._tags, log_id, min(sequence, stored.get(log_id, 0)))
            found[log_id] = value, again
        return found


class AccessBatches:
    """Batches of access events on their way: workers store them within a second, so they are only waited for.

    One that stays would be refused after the older key is gone; its data plane then sends it again.
    """

    variable = "BUNDLE_SEAL_KEY"
    what = "access events on their way"

    def __init__(self, redis: Redis, tags: Tagger) -> None:
        self._redis = redis
        self._tags = tags

    async def count(self) -> Count:
        """Those that wait in Redis now, in batches."""
        total = older = 0
        async for fields in waiting_batches(self._redis):
            total, older = total + 1, older + (not is_tagged_newest(self._tags, fields))
        return Count(total, older)

    async def run(self, tell: Tell) -> int:
        """Wait for workers, `BATCHES_WAIT_S` at most. Changes nothing."""
        until = time.monotonic() + BATCHES_WAIT_S
        told = -1
        while (older := (await self.count()).older) and time.monotonic() < until:
            if older != told:
                tell(f"{self.what}: waiting for workers to store {older} batches")
                told = older
            await asyncio.sleep(BATCHES_LOOK_S)
        return 0
