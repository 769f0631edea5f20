"""Looking after what is in Redis: what a failover lost, a flush removed or somebody altered is put again.

Redis is read before Postgres: a head that Redis had when it was read is then in Postgres too, unless Postgres was
restored or somebody made it up.
"""

import time
from collections.abc import Callable

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.publishing.activation import Activation
from control_plane.publishing.service import Publishing
from qg_bundle import garbage
from qg_bundle.envelope import own_checkpoint
from qg_bundle.link import eviction_policy
from qg_bundle.node_reports import forget_old_nodes, read_reports
from qg_bundle.reader import BundleReader, Glance
from qg_bundle.rejections import BundleRejected
from qg_bundle.writer import BundleWriter
from qg_core.nodes import NodeReport
from qg_core.signatures import Verifier
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger
from qg_store.repositories.publishing import CheckpointMark, Heads
from qg_telemetry.events import BundleRepaired, GarbageRemoved, HeadForged, Observe, RedisEvicts, RevisionGap

PARTS_PER_LOOK_MAX = 200
"""Parts that are put again on the word of node reports, per look."""

PARTS_SHOWN_MAX = 10


class Upkeep:
    """Each step raises what SQLAlchemy raises or one of `link.LINK_ERRORS`."""

    def __init__(
        self,
        *,
        gateway_id: str,
        redis: Redis,
        sessions: SessionFactory,
        verifier: Verifier,
        activation: Activation,
        publishing: Publishing,
        observe: Observe,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._sessions = sessions
        self._reader = BundleReader(redis, gateway_id, verifier)
        self._writer = BundleWriter(redis)
        self._activation = activation
        self._publishing = publishing
        self._observe = observe
        self._now = now
        self._keys_checked = False

    async def look(self) -> bool:
        """One look at the head, the newest parts and the node reports; whether an activation is due."""
        glance = await self._reader.glance()
        reports = await read_reports(self._redis)
        async with self._sessions() as session:
            heads = await ledger.heads(session)
            newest = await ledger.newest_checkpoint_mark(session, heads.activated)
        if heads.head == 0:
            await self._publishing.begin()
            return True
        verified = await self._verified_head(glance, reports)
        if verified > heads.head:
            await self._close_gap(verified)
            return True
        await self._mend_head(glance, heads)
        await self._put_wanted(reports)
        if newest is not None:
            await self._check_newest(heads.activated, newest)
        return heads.head > heads.activated

    async def sweep(self) -> None:
        """Compare everything that is published with Redis, then remove what nothing needs any more."""
        await self._check_eviction()
        if not self._keys_checked:
            # Once per process: two control planes in the middle of a rotation must not undo each other's work for ever.
            await self._publishing.reseal()
            await self._publishing.resign()
            self._keys_checked = True
        await self._put_missing()
        async with self._sessions() as session:
            await ledger.lock_activation(session)
            await self._remove_garbage(session)
            await session.commit()
        await forget_old_nodes(self._redis, self._now())

    async def _verified_head(self, glance: Glance, reports: list[NodeReport]) -> int:
        """The largest revision that somebody can prove with a beacon or delta signed for this gateway."""
        # Each beacon once: a fleet repeats the same one, and verifying costs a tenth of a millisecond.
        beacons = {glance.beacon_body, *(report.beacon for report in reports)}
        heads = [self._beacon_head(body) for body in beacons]
        if glance.head is not None and glance.head > max(heads):
            run = await self._reader.deltas(glance.head, glance.head)
            heads += [sealed.value.revision for sealed in run.deltas]
        return max(heads)

    def _beacon_head(self, body: bytes) -> int:
        try:
            return self._reader.open_beacon(body).value.head if body else 0
        except BundleRejected:
            return 0

    async def _close_gap(self, verified: int) -> None:
        before, revision = await self._publishing.move_past(verified)
        if revision > verified and before <= verified:
            self._observe(RevisionGap(postgres_head=before, verified_head=verified, revision=revision))

    async def _mend_head(self, glance: Glance, heads: Heads) -> None:
        """Redis lost its newest writes (or all of them), or somebody moved the head without a signature."""
        if heads.activated and (glance.head is None or glance.head < heads.activated):
            done = await self._activation.run(redis_head=glance.head or 0)
            if done.revision > done.from_revision:
                reason = "head_lost" if glance.head is None else "head_moved_back"
                self._repaired(reason, (f"head:{done.revision}",))
            return
        forged = glance.head is not None and glance.head > heads.head
        if forged and await self._writer.replace_head(glance.head_text, heads.activated):
            self._observe(HeadForged(found=str(glance.head), revision=heads.activated))

    async def _put_wanted(self, reports: list[NodeReport]) -> None:
        wanted = sorted({name for report in reports for name in report.wanted})[:PARTS_PER_LOOK_MAX]
        if wanted and (done := await self._activation.put_again(wanted)):
            await self._writer.hint((await self._reader.glance()).head or 0)
            self._repaired("wanted_by_node", done)

    async def _check_newest(self, activated: int, newest: CheckpointMark) -> None:
        """The newest checkpoint, its pointer and the newest delta: what a node without memory begins with."""
        async with self._sessions() as session:
            sizes = await ledger.delta_sizes(session, activated - 1, activated)
        missing = await self._writer.missing_parts(sizes, (newest.revision, newest.size_bytes))
        if missing and (done := await self._activation.put_again(missing)):
            self._repaired("newest_lost", done)
        if await self._reader.newest_checkpoint_revision() != newest.revision:
            await self._writer.replace_newest_checkpoint(newest.revision)
            self._repaired("pointer_altered", (f"checkpoint:{newest.revision}",))

    async def _put_missing(self) -> None:
        """All that the head names: every spec, and the deltas since the newest checkpoint."""
        async with self._sessions() as session:
            heads = await ledger.heads(session)
            newest = await ledger.newest_checkpoint_mark(session, heads.activated)
            if heads.head != heads.activated or newest is None:
                return
            specs = await ledger.spec_sizes(session, set((await ledger.manifest(session)).values()))
            deltas = await ledger.delta_sizes(session, newest.revision, heads.head)
        missing = [f"spec:{digest}" for digest in await self._writer.missing_specs(specs)]
        missing += await self._writer.missing_parts(deltas, None)
        if missing and (done := await self._activation.put_again(missing)):
            self._repaired("sweep", done)

    async def _check_eviction(self) -> None:
        policy = await eviction_policy(self._redis)
        if policy is not None and policy != "noeviction":
            self._observe(RedisEvicts(policy=policy))

    async def _remove_garbage(self, session: AsyncSession) -> None:
        marks = await ledger.checkpoint_marks(session)
        kept = garbage.kept_checkpoints([(mark.revision, mark.created_at.timestamp()) for mark in marks], self._now())
        if not kept:
            return
        oldest = await ledger.checkpoint(session, min(kept))
        if oldest is None:
            return
        head = (await ledger.heads(session)).head
        named = {entry.digest for entry in own_checkpoint(oldest.body).entries}
        named |= await ledger.digests_changed(session, oldest.revision, head)
        removed = await garbage.remove_unused(self._redis, checkpoints_kept=kept, specs_kept=named, now=self._now())
        await ledger.drop_checkpoints(session, kept)
        if removed.specs or removed.deltas or removed.checkpoints:
            self._observe(GarbageRemoved(specs=removed.specs, deltas=removed.deltas, checkpoints=removed.checkpoints))

    def _repaired(self, reason: str, parts: tuple[str, ...]) -> None:
        self._observe(BundleRepaired(reason=reason, parts=parts[:PARTS_SHOWN_MAX], parts_total=len(parts)))
