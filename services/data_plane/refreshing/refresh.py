"""The loop that keeps this node's catalog current: look, catch up, build, remember, swap, report.

What is served is replaced only by something newer that verifies whole. Whatever goes wrong is kept as the node's
condition and told by its report; the loop itself never ends and never raises.
"""

import asyncio
import random
import time
from collections.abc import Callable

import msgspec
from redis.asyncio import Redis

from data_plane.catalogs.catalog import Catalog, CatalogBuilder
from data_plane.catalogs.compiled import MISSING
from data_plane.refreshing.catch_up import Promised, Step, catch_up, fetch_specs
from data_plane.refreshing.chain import Chain
from data_plane.refreshing.condition import Condition
from data_plane.refreshing.hints import Hints
from data_plane.refreshing.memory import Memory
from data_plane.refreshing.recall import verified_step
from data_plane.refreshing.staleness import Staleness
from data_plane.refreshing.telling import Telling
from data_plane.refreshing.tidy import Tidy
from data_plane.refreshing.waiters import Waiters
from qg_bundle.envelope import Sealed
from qg_bundle.link import LINK_ERRORS, end_tasks
from qg_bundle.reader import BundleReader, Glance
from qg_bundle.rejections import BundleRejected, Reason
from qg_core.nodes import NodeState
from qg_core.revisions import Beacon
from qg_core.signatures import Verifier
from qg_telemetry.events import Observe

TICK_MIN_S = 0.4
TICK_MAX_S = 0.7
"""What a lost hint costs at most; the rest of the second that a revocation may take is for fetching and swapping."""

RETRY_MAX_S = 2.0
"""A tick of a node whose attempts keep failing; a hint still wakes it at once."""

LOOK_SPACING_MIN_S = 0.02
PASS_TIMEOUT_S = 60.0


class Refresher:
    """`await boot()`, then `start()`; `await close()` at the end. `current` is taken once per request."""

    def __init__(
        self,
        *,
        redis: Redis,
        gateway_id: str,
        verifier: Verifier,
        builder: CatalogBuilder,
        memory: Memory,
        staleness: Staleness,
        observe: Observe,
        on_swap: Callable[[Catalog], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`on_swap` is told each new catalog right after it is served, and must return at once (pools are retired)."""
        self._reader = BundleReader(redis, gateway_id, verifier)
        self._gateway_id = gateway_id
        self._verifier = verifier
        self._builder = builder
        self._memory = memory
        self._staleness = staleness
        self._on_swap = on_swap
        self._now = now
        self._hints = Hints(redis)
        self._waiters = Waiters()
        self._chain = Chain()
        self._tidy = Tidy(self._reader, memory, self._chain)
        self._looked_at = 0.0
        self._failures = 0
        self._beacon_rejected: BundleRejected | None = None
        self._task: asyncio.Task[None] | None = None
        self.current: Catalog | None = None
        """What is served; replaced as a whole."""
        self.condition = Condition(staleness)
        self._telling = Telling(observe, self.condition)
        self.beacon: Sealed[Beacon] | None = None
        self.highest = 0
        """The highest revision that this node ever served, also before it was restarted."""
        self.on_change: Callable[[], None] = _nothing
        """Told after each change of what a report would say."""

    @property
    def revision(self) -> int:
        """What is served; 0 before there is anything."""
        return self.current.revision if self.current is not None else 0

    @property
    def newest_known(self) -> int:
        """The newest revision that a verified beacon or catalog named."""
        return max(self.revision, self.beacon.value.head if self.beacon is not None else 0)

    def is_stale(self, now: float) -> bool:
        """Whether protected endpoints must answer 503; `now` in Unix seconds. Cheap."""
        return self._staleness.is_stale(now)

    def age_s(self, now: float) -> float:
        """Seconds since what is served was provably the newest; infinite without any proof."""
        return self._staleness.age_s(now)

    @property
    def state(self) -> NodeState:
        """The node's own view of itself."""
        return self.condition.state(serving=self.current is not None, now=self._now())

    async def wait_for(self, revision: int, network: str = "") -> None:
        """Return once `revision` is served. Raises `RevisionNotReached` (see `Waiters`)."""
        if revision <= self.revision:
            return
        self._hints.wake()
        await self._waiters.wait_for(revision, self.newest_known, network)

    async def boot(self) -> None:
        """Take what is newest: from Redis if it answers, else from disk. Returns with or without a catalog."""
        recalled = await self._memory.recall()
        self.highest = recalled.highest.revision if recalled.highest is not None else 0
        step: Step | None = None
        if recalled.bundle is not None and recalled.bundle.checkpoint is not None:
            try:
                step = verified_step(recalled.bundle, self._verifier, self._gateway_id, self.highest)
            except BundleRejected as rejected:
                self._reject(rejected)
        # A clock that was set back since must not make what is remembered look younger.
        now = max(self._now(), recalled.highest.saved_at if recalled.highest is not None else 0.0)
        if recalled.bundle is not None and recalled.bundle.beacon:
            self._hear(recalled.bundle.beacon, now)
        if step is not None:
            await self._swap_to(await self._with_remembered_bodies(step), "disk", now)
        await self.look()

    def start(self) -> None:
        """Begin to follow."""
        self._hints.start()
        self._task = asyncio.create_task(self._follow())

    def drain(self) -> None:
        """This node is being stopped: its report says so."""
        self.condition.draining = True
        if self._telling.state(self.state, self.revision):
            self.on_change()

    async def close(self) -> None:
        """Stop following; what is served stays."""
        await end_tasks(self._task)
        await self._hints.close()
        await self._memory.close()

    async def look(self) -> None:
        """One look at Redis and everything that follows from it. Never raises."""
        self._looked_at = time.monotonic()
        try:
            async with asyncio.timeout(PASS_TIMEOUT_S):
                await self._look()
            self._failures = 0
        except BundleRejected as rejected:
            self._failures += 1
            self._reject(rejected)
        except LINK_ERRORS as error:
            self._failures += 1
            self._telling.redis_lost(error)
        except Exception as error:  # noqa: BLE001 - a loop that ends would leave this node behind for good
            self._failures += 1
            self._telling.unforeseen(error)
        if self._telling.state(self.state, self.revision):
            self.on_change()

    async def _follow(self) -> None:
        while True:
            tick_s = random.uniform(TICK_MIN_S, TICK_MAX_S)  # noqa: S311 - no secret
            await self._hints.wait(min(RETRY_MAX_S, tick_s * 2 ** min(max(0, self._failures - 3), 4)))
            spacing_s = self._looked_at + LOOK_SPACING_MIN_S - time.monotonic()
            if spacing_s > 0:
                await asyncio.sleep(spacing_s)
            await self.look()

    async def _look(self) -> None:
        glance = await self._reader.glance()
        self._telling.redis_found()
        self._beacon_rejected = None
        if glance.beacon_body and (self.beacon is None or glance.beacon_body != self.beacon.body):
            self._hear(glance.beacon_body, self._now())
        rejected = await self._catch_up(glance)
        self._judge(glance, rejected)
        if self.beacon is not None:
            await self._memory.remember_beacon(self.beacon.body)
        if self.current is not None:
            await self._tidy.run(self.current.manifest, self.beacon)

    async def _catch_up(self, glance: Glance) -> BundleRejected | None:
        """Take everything that is newer; why there is something that could not be taken."""
        promised = Promised(max(glance.head or 0, self.newest_known), self.newest_known)
        if promised.newest == 0:
            return None
        if self.current is not None and promised.newest <= self.revision:
            return await self._mend(self.current)
        self.condition.behind()
        served = self.current.manifest if self.current is not None else None
        step = await catch_up(self._reader, served, promised, self.highest, self._builder.knows)
        await self._swap_to(step, "redis")
        return step.held_up

    async def _mend(self, catalog: Catalog) -> BundleRejected | None:
        """Fetch the specs that the disk had lost; they are served from then on."""
        if not any(item.reason == MISSING for item in catalog.unusable):
            return None
        named = catalog.manifest.digests.values()
        bodies, rejected = await fetch_specs(self._reader, catalog.revision, named, self._builder.knows)
        if bodies:
            step = Step(
                manifest=catalog.manifest, checkpoint=None, deltas=[], bodies=bodies, issued_at=0.0, held_up=rejected
            )
            await self._swap_to(step, "redis")
        return rejected

    def _judge(self, glance: Glance, rejected: BundleRejected | None) -> None:
        """What the report will say after a look that went through."""
        if rejected is None and self.revision > 0 and (glance.head is None or glance.head < self.revision):
            found = "absent" if glance.head is None else str(glance.head)
            rejected = BundleRejected(Reason.OLDER, f"the head in Redis is {found}, older than {self.revision}")
        if rejected is not None:
            self._reject(rejected)
        elif self._beacon_rejected is None:
            self.condition.rejected = None
        if self.revision >= self.newest_known:
            self.condition.up_to_date()

    def _hear(self, body: bytes, now: float) -> None:
        """Take a beacon if it verifies and is newer than the newest one."""
        try:
            sealed = self._reader.open_beacon(body)
            if self.beacon is not None and sealed.value.issued_at <= self.beacon.value.issued_at:
                return
            self._staleness.heard(sealed.value, now)
        except BundleRejected as rejected:
            self._beacon_rejected = rejected
            self._reject(rejected)
            return
        self.beacon = sealed
        self.condition.beacon_heard()

    async def _swap_to(self, step: Step, source: str, now: float | None = None) -> None:
        started = time.perf_counter()
        before = self.current
        catalog = await self._builder.build(step.manifest, step.bodies, self._now(), step.difference)
        update = self._chain.follow(step, before.manifest if before is not None else None)
        if source != "disk":
            # On disk before it is served: after a restart without Redis a revoked credential must stay revoked.
            await self._memory.remember(update)
        self.current = catalog
        self.highest = max(self.highest, catalog.revision)
        self._staleness.serves(catalog.revision, step.issued_at, self._now() if now is None else now)
        self._waiters.reached(catalog.revision)
        self._on_swap(catalog)
        previous = before.revision if before is not None else 0
        self._telling.swapped(catalog, previous, source, (time.perf_counter() - started) * 1_000)
        self.on_change()

    async def _with_remembered_bodies(self, step: Step) -> Step:
        """The spec bytes from disk. One that is damaged there is fetched later, or its subject is unusable."""
        wanted = list(dict.fromkeys(step.manifest.digests.values()))
        bodies = await self._memory.specs(wanted)
        return msgspec.structs.replace(step, bodies=bodies)

    def _reject(self, rejected: BundleRejected) -> None:
        if self._telling.rejected(rejected, self.revision):
            self.on_change()


def _nothing() -> None:
    """Nobody listens yet."""
