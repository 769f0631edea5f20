"""Looking after the bundle in Redis: what a failover lost, a flush removed or somebody altered is put again.

Redis is read before Postgres: a head that Redis had when it was read is then in Postgres too, unless Postgres was
restored or somebody made it up. Which of the two it is, signatures tell; what follows from a restored Postgres has to
be signed, so only a control plane can do it.
"""

import msgspec
from redis.asyncio import Redis

from qg_activation.activation import Activation
from qg_bundle.link import eviction_policy
from qg_bundle.node_reports import read_reports
from qg_bundle.reader import BundleReader, Glance
from qg_bundle.rejections import BundleRejected
from qg_bundle.writer import BundleWriter
from qg_core.nodes import NodeReport
from qg_core.signatures import Verifier
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger
from qg_store.repositories.publishing import CheckpointMark, Heads
from qg_telemetry.events import BundleRepaired, HeadForged, Observe, RedisEvicts

PARTS_PER_LOOK_MAX = 200
"""Parts that are put again on the word of node reports, per look."""

PARTS_SHOWN_MAX = 10

REVISIONS_AHEAD_MAX = 10_000_000
"""How far ahead of Postgres a verified revision is believed to be. More than any restore leaves behind: with a beacon
somebody who had a signing key could otherwise use up all numbers, and no rotation of keys would bring them back."""

BUNDLE_PARTS = ("spec:", "delta:", "checkpoint:")
"""How the parts begin that node reports may want and that this module puts again."""


class Sight(msgspec.Struct, frozen=True):
    """One look at Redis and then at Postgres."""

    glance: Glance
    reports: list[NodeReport]
    heads: Heads
    newest: CheckpointMark | None
    """The newest checkpoint that is activated; null while there is none."""
    verified_head: int
    """The largest revision that somebody can prove with a beacon or delta signed for this gateway; 0 for none.

    Those more than `REVISIONS_AHEAD_MAX` ahead of Postgres don't count.
    """

    @property
    def needs_signing(self) -> bool:
        """Whether nothing was ever published, or Postgres is behind what was verified: a control plane's to mend."""
        return self.heads.head == 0 or self.verified_head > self.heads.head

    @property
    def is_behind(self) -> bool:
        """Whether a revision waits for activation, or Redis lost the head (or an older one stands there)."""
        return self.heads.head > self.heads.activated or (self.glance.head or 0) < self.heads.activated

    @property
    def wanted(self) -> list[str]:
        """What of the bundle nodes could not read or verify, bounded."""
        names = {name for report in self.reports for name in report.wanted if name.startswith(BUNDLE_PARTS)}
        return sorted(names)[:PARTS_PER_LOOK_MAX]


class BundleRepair:
    """Each step raises what SQLAlchemy raises or one of `link.LINK_ERRORS`."""

    def __init__(
        self,
        *,
        gateway_id: str,
        redis: Redis,
        sessions: SessionFactory,
        verifier: Verifier,
        activation: Activation,
        observe: Observe,
    ) -> None:
        self._redis = redis
        self._sessions = sessions
        self._reader = BundleReader(redis, gateway_id, verifier)
        self._writer = BundleWriter(redis)
        self._activation = activation
        self._observe = observe

    async def look(self) -> Sight:
        """One look at the head and the node reports in Redis, then at Postgres; nothing is changed."""
        glance = await self._reader.glance()
        reports = await read_reports(self._redis)
        async with self._sessions() as session:
            heads = await ledger.heads(session)
            newest = await ledger.newest_checkpoint_mark(session, heads.activated)
        return Sight(glance, reports, heads, newest, await self._verified_head(glance, reports, heads))

    async def mend(self, sight: Sight) -> None:
        """Put right the head, what nodes want and the newest parts. Not for a sight that needs signing."""
        await self._mend_head(sight.glance, sight.heads)
        await self._put_wanted(sight.wanted)
        if sight.newest is not None and await self._check_newest(sight.heads.activated, sight.newest):
            # A Redis that lost these has lost others as well, and a node without memory needs them all.
            await self.put_missing()

    async def put_missing(self) -> None:
        """Compare all that the head names with Redis: every spec, and the deltas since the newest checkpoint."""
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

    async def check_eviction(self) -> None:
        """Say so when Redis may throw the bundle away."""
        policy = await eviction_policy(self._redis)
        if policy is not None and policy != "noeviction":
            self._observe(RedisEvicts(policy=policy))

    async def _verified_head(self, glance: Glance, reports: list[NodeReport], heads: Heads) -> int:
        # Each beacon once: a fleet repeats the same one, and verifying costs a tenth of a millisecond.
        beacons = {glance.beacon_body, *(report.beacon for report in reports)}
        found = [self._beacon_head(body) for body in beacons]
        if glance.head is not None and glance.head > max(found):
            run = await self._reader.deltas(glance.head, glance.head)
            found += [sealed.value.revision for sealed in run.deltas]
        return max((revision for revision in found if revision <= heads.head + REVISIONS_AHEAD_MAX), default=0)

    def _beacon_head(self, body: bytes) -> int:
        try:
            return self._reader.open_beacon(body).value.head if body else 0
        except BundleRejected:
            return 0

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

    async def _put_wanted(self, wanted: list[str]) -> None:
        if wanted and (done := await self._activation.put_again(wanted)):
            await self._writer.hint((await self._reader.glance()).head or 0)
            self._repaired("wanted_by_node", done)

    async def _check_newest(self, activated: int, newest: CheckpointMark) -> bool:
        """The newest checkpoint, its pointer and the newest delta after it: what a node without memory begins with.

        Whether one of the parts had to be put again.
        """
        # A checkpoint of the head has no delta after it, and the first activation puts none.
        before = max(activated - 1, newest.revision)
        async with self._sessions() as session:
            sizes = await ledger.delta_sizes(session, before, activated)
        missing = await self._writer.missing_parts(sizes, (newest.revision, newest.size_bytes))
        done = await self._activation.put_again(missing) if missing else ()
        if done:
            self._repaired("newest_lost", done)
        if await self._reader.newest_checkpoint_revision() != newest.revision:
            await self._writer.replace_newest_checkpoint(newest.revision)
            self._repaired("pointer_altered", (f"checkpoint:{newest.revision}",))
        return bool(done)

    def _repaired(self, reason: str, parts: tuple[str, ...]) -> None:
        self._observe(BundleRepaired(reason=reason, parts=parts[:PARTS_SHOWN_MAX], parts_total=len(parts)))
