"""Looking after what is in Redis, with the key that workers don't have: what has to be signed for is done here.

What needs no key is `qg_activation.repair`, which workers run, too.
"""

import time
from collections.abc import Callable

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.publishing.renewal import Renewal
from control_plane.publishing.service import Publishing
from qg_activation.repair import BundleRepair
from qg_bundle import garbage
from qg_bundle.envelope import own_checkpoint
from qg_bundle.node_reports import forget_old_nodes
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger
from qg_telemetry.events import GarbageRemoved, Observe, RevisionGap


class Upkeep:
    """Each step raises what SQLAlchemy raises or one of `link.LINK_ERRORS`."""

    def __init__(
        self,
        *,
        redis: Redis,
        sessions: SessionFactory,
        repair: BundleRepair,
        publishing: Publishing,
        renewal: Renewal,
        observe: Observe,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._sessions = sessions
        self._repair = repair
        self._publishing = publishing
        self._renewal = renewal
        self._observe = observe
        self._now = now
        self._keys_checked = False

    async def look(self) -> bool:
        """One look at the head, the newest parts and the node reports; whether an activation is due."""
        sight = await self._repair.look()
        if sight.heads.head == 0:
            await self._publishing.begin()
            return True
        if sight.verified_head > sight.heads.head:
            await self._close_gap(sight.verified_head)
            return True
        await self._repair.mend(sight)
        return sight.heads.head > sight.heads.activated

    async def sweep(self) -> None:
        """Compare everything that is published with Redis, then remove what nothing needs any more."""
        await self._repair.check_eviction()
        if not self._keys_checked:
            # Once per process: two control planes in the middle of a rotation must not undo each other's work for ever.
            await self._renewal.reseal_unopened()
            await self._renewal.resign()
            self._keys_checked = True
        await self._repair.put_missing()
        async with self._sessions() as session:
            await ledger.lock_activation(session)
            await self._remove_garbage(session)
            await session.commit()
        await forget_old_nodes(self._redis, self._now())

    async def _close_gap(self, verified: int) -> None:
        before, revision = await self._publishing.move_past(verified)
        if revision > verified and before <= verified:
            self._observe(RevisionGap(postgres_head=before, verified_head=verified, revision=revision))

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
