"""`BUNDLE_SIGNING_KEY`: what is signed. The signed history in Postgres stays as it is: nobody verifies it any more."""

import msgspec
from redis.asyncio import Redis

from control_plane.publishing.beacons import Beacons
from control_plane.publishing.renewal import Renewal
from control_plane.rotation import audit
from control_plane.rotation.steps import Count, Tell
from qg_activation.activation import Activation
from qg_bundle import garbage
from qg_bundle.envelope import signed_by
from qg_bundle.reader import BundleReader
from qg_bundle.rejections import BundleRejected
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger

DELTAS_PER_READ = 100


class SignedHead:
    """What a node without memory begins with: the newest checkpoint, and the deltas since."""

    variable = "BUNDLE_SIGNING_KEY"
    what = "newest checkpoint and the deltas since"

    def __init__(self, sessions: SessionFactory, renewal: Renewal, activation: Activation) -> None:
        self._sessions = sessions
        self._renewal = renewal
        self._activation = activation

    async def count(self) -> Count:
        """Also what is committed and not yet in Redis."""
        async with self._sessions() as session:
            head = (await ledger.heads(session)).head
            newest = await ledger.newest_checkpoint_mark(session, head)
        since = head - newest.revision if newest is not None else 0
        return Count(since + (newest is not None), await self._renewal.signed_otherwise())

    async def run(self, tell: Tell) -> int:
        """Take a revision with a checkpoint under the newest key, and bring it to Redis."""
        older = await self._renewal.signed_otherwise()
        revision = await self._renewal.resign()
        await self._activation.activate()
        if revision is None:
            return 0
        tell(f"{self.what}: revision {revision} has a checkpoint of the newest key")
        return older


class _Found(msgspec.Struct, frozen=True):
    """What another key has signed: checkpoints in Postgres, checkpoints and deltas in Redis, the beacon there."""

    total: int
    stored: frozenset[int]
    copies: tuple[int, ...]
    deltas: tuple[int, ...]
    beacon: bool


class SignedBefore:
    """Checkpoints in Postgres and checkpoints and deltas in Redis from before that one, and the beacon."""

    variable = "BUNDLE_SIGNING_KEY"
    what = "older checkpoints and deltas, and the beacon"

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        redis: Redis,
        reader: BundleReader,
        beacons: Beacons,
        key_id: str,
    ) -> None:
        """`key_id` is the newest key's."""
        self._sessions = sessions
        self._redis = redis
        self._reader = reader
        self._beacons = beacons
        self._key_id = key_id

    async def count(self) -> Count:
        """Those that another key has signed, of all that are kept."""
        found = await self._find()
        return Count(found.total + 1, len(found.stored) + len(found.copies) + len(found.deltas) + found.beacon)

    async def run(self, tell: Tell) -> int:
        """Remove them; nothing is removed while the newest checkpoint is another key's. A new beacon is put.

        Found before the lock is taken, which nobody may hold for long: none of them is ever needed again.
        """
        found = await self._find()
        if found.beacon:
            await self._beacons.beat()
        async with self._sessions() as session:
            await ledger.lock_activation(session)
            newest = await ledger.newest_checkpoint(session, (await ledger.heads(session)).activated)
            if newest is None or signed_by(newest.body) != self._key_id:
                return 0
            if found.stored:
                marks = await ledger.checkpoint_marks(session)
                await ledger.drop_checkpoints(session, {mark.revision for mark in marks} - found.stored)
                await audit.note(session, f"Removed {len(found.stored)} checkpoints that another key had signed.")
            await garbage.unlink_checkpoints(self._redis, found.copies)
            await garbage.unlink_deltas(self._redis, found.deltas)
            await session.commit()
        removed = len(found.stored) + len(found.copies) + len(found.deltas)
        if removed:
            tell(f"{self.what}: {removed} removed")
        return removed

    async def _find(self) -> _Found:
        checkpoints = await garbage.listed_checkpoints(self._redis)
        deltas = await garbage.listed_deltas(self._redis)
        async with self._sessions() as session:
            activated = (await ledger.heads(session)).activated
            marks = await ledger.checkpoint_marks(session)
        newest = max((mark.revision for mark in marks if mark.revision <= activated), default=0)
        stored = await self._signed_otherwise([mark.revision for mark in marks if mark.revision < newest])
        kept = {mark.revision for mark in marks} - stored
        return _Found(
            total=len(marks) + len(checkpoints) + len(deltas),
            stored=frozenset(stored),
            copies=tuple(revision for revision in checkpoints if revision < newest and revision not in kept),
            deltas=tuple(sorted(await self._deltas_signed_otherwise([each for each in deltas if each <= newest]))),
            beacon=not await self._is_own_beacon(),
        )

    async def _signed_otherwise(self, revisions: list[int]) -> set[int]:
        """Those of these checkpoints in Postgres that another key has signed; one at a time is in memory."""
        found: set[int] = set()
        for revision in revisions:
            async with self._sessions() as session:
                row = await ledger.checkpoint(session, revision)
            if row is not None and signed_by(row.body) != self._key_id:
                found.add(revision)
        return found

    async def _deltas_signed_otherwise(self, revisions: list[int]) -> set[int]:
        """Those of these revisions whose delta another key has signed, by what Postgres has of them."""
        wanted = set(revisions)
        found: set[int] = set()
        after, last = min(wanted, default=1) - 1, max(wanted, default=0)
        while after < last:
            async with self._sessions() as session:
                rows = await ledger.deltas(session, after, last, DELTAS_PER_READ)
            if not rows:
                break
            found |= {row.revision for row in rows if row.revision in wanted and signed_by(row.body) != self._key_id}
            after = rows[-1].revision
        return found

    async def _is_own_beacon(self) -> bool:
        """Whether the beacon is the newest key's, or none of ours: no key is kept for what a stranger put there."""
        body = (await self._reader.glance()).beacon_body
        try:
            return not body or signed_by(self._reader.open_beacon(body).body) == self._key_id
        except BundleRejected:
            return True
