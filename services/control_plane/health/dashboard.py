"""The whole gateway at one look: its parts, the scheduler, what ran lately, which snapshots are stale, what is public.

Read from Postgres and Redis alone; no session of an Oracle database is ever opened for it. Everything is bounded, and
one answer serves everybody who asks within a second.
"""

import asyncio
import enum
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import msgspec
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.health.service import OK, Health, HealthWatch
from control_plane.health.stale_snapshots import Freshness, look_for_stale
from qg_bundle.link import LINK_ERRORS
from qg_bundle.node_reports import read_reports
from qg_core.errors import StoreUnavailable
from qg_core.gateway_settings import GATEWAY_SETTINGS
from qg_core.nodes import NodeReport, NodeState
from qg_store.engine import SessionFactory
from qg_store.models import JobRun
from qg_store.repositories import job_runs, overview, settings
from qg_store.repositories.job_runs import RunFilter
from qg_store.repositories.overview import (
    AccessCounts,
    ConnectionCounts,
    EndpointCounts,
    PublicEndpoint,
    SchedulerCounts,
)

REMEMBERED_S = 1.0
LOOK_TIMEOUT_S = 15.0
REPORTS_TIMEOUT_S = 2.0
RECENT_RUNS_MAX = 20
PUBLIC_SHOWN_MAX = 100
OVERDUE_S = 15.0
"""Workers plan what is due every second and take over from each other within this time."""

_SLOTS_KEY = "max_job_concurrency"


class Status(enum.StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    """Works, but something in it needs a look: `detail` says what."""
    UNAVAILABLE = "unavailable"


class Component(msgspec.Struct, frozen=True):
    """One part of the gateway; `counts` differ from part to part."""

    status: Status
    detail: str | None
    counts: dict[str, int]


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What Postgres says."""

    connections: ConnectionCounts
    endpoints: EndpointCounts
    scheduler: SchedulerCounts
    slots_max: int
    runs: tuple[JobRun, ...]
    freshness: Freshness
    public: tuple[PublicEndpoint, ...]
    access: AccessCounts


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """One look; `scheduler_detail` is null while all is well there."""

    overall: Status
    components: dict[str, Component]
    scheduler_detail: str | None
    stored: Stored


class Dashboard:
    def __init__(self, *, sessions: SessionFactory, redis: Redis, health: HealthWatch) -> None:
        self._sessions = sessions
        self._redis = redis
        self._health = health
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._last: Overview | None = None

    async def look(self) -> Overview:
        """How things are now, at most `REMEMBERED_S` ago. Raises `StoreUnavailable` and what SQLAlchemy raises."""
        try:
            # Waiting for the look of somebody else counts: when that fails, each of those behind it begins one anew.
            async with asyncio.timeout(LOOK_TIMEOUT_S), self._lock:
                if self._last is None or time.monotonic() - self._looked_at > REMEMBERED_S:
                    health = await self._health.look()
                    reports = await self._reports()
                    self._last = _overview(health, reports, await self._stored())
                    self._looked_at = time.monotonic()
                return self._last
        except TimeoutError as error:
            raise StoreUnavailable(retry_after_s=2) from error

    async def _stored(self) -> Stored:
        async with self._sessions() as session:
            counts = await overview.scheduler(session, OVERDUE_S)
            return Stored(
                connections=await overview.connections(session),
                endpoints=await overview.endpoints(session),
                scheduler=counts,
                slots_max=await _slots_max(session),
                runs=tuple(await job_runs.page(session, RunFilter(), RECENT_RUNS_MAX)),
                freshness=await look_for_stale(session, counts.now),
                public=tuple(await overview.public_endpoints(session, PUBLIC_SHOWN_MAX)),
                access=await overview.access(session),
            )

    async def _reports(self) -> list[NodeReport] | None:
        """What nodes say, null while Redis is away."""
        try:
            async with asyncio.timeout(REPORTS_TIMEOUT_S):
                return await read_reports(self._redis)
        except (*LINK_ERRORS, TimeoutError):
            return None


async def _slots_max(session: AsyncSession) -> int:
    """The stored limit, else the default: what the environments of workers say is theirs to know."""
    row = await settings.by_key(session, _SLOTS_KEY)
    value = GATEWAY_SETTINGS[_SLOTS_KEY].default if row is None else row.value
    return value if isinstance(value, int) else 0


def _overview(health: Health, reports: list[NodeReport] | None, stored: Stored) -> Overview:
    overdue = stored.scheduler.overdue
    scheduler_detail = None
    if overdue:
        scheduler_detail = f"{overdue} schedules wait for more than {OVERDUE_S:.0f} s: does a worker run?"
    components = {
        "database": Component(Status.OK if health.database == OK else Status.UNAVAILABLE, None, {}),
        "redis": Component(Status.OK if health.redis == OK else Status.UNAVAILABLE, None, {}),
        "publishing": _publishing(health),
        "nodes": _nodes(reports, health.activated),
        "connections": _connections(stored.connections),
        "endpoints": _endpoints(stored.endpoints),
        "scheduler": _component({"active": stored.scheduler.active, "overdue": overdue}, scheduler_detail),
        "snapshots": _snapshots(stored.freshness),
        "access_log": _component(msgspec.structs.asdict(stored.access), None),
    }
    every = {component.status for component in components.values()}
    overall = Status.OK if every == {Status.OK} else Status.DEGRADED
    return Overview(overall=overall, components=components, scheduler_detail=scheduler_detail, stored=stored)


def _component(counts: Mapping[str, int], detail: str | None) -> Component:
    return Component(Status.OK if detail is None else Status.DEGRADED, detail, dict(counts))


def _publishing(health: Health) -> Component:
    pending = max(0, health.head - health.activated)
    counts = {"head": health.head, "activated": health.activated, "pending": pending}
    return _component(counts, None if health.publishing == OK else f"publishing is {health.publishing}")


def _nodes(reports: list[NodeReport] | None, activated: int) -> Component:
    if reports is None:
        return Component(Status.UNAVAILABLE, "the nodes' reports are in Redis, which is away", {})
    states = Counter(report.state.value for report in reports)
    lagging = sum(report.revision < activated for report in reports)
    counts = {"total": len(reports), "lagging": lagging, **{state.value: states[state.value] for state in NodeState}}
    troubled = len(reports) - states[NodeState.SERVING.value]
    if not reports:
        return _component(counts, "no data plane has reported within the last seconds")
    return _component(counts, f"{troubled} nodes are not serving the newest revision" if troubled else None)


def _connections(counts: ConnectionCounts) -> Component:
    unused = counts.inactive_in_use
    detail = f"{unused} inactive connections are named by active endpoints, which answer 503" if unused else None
    return _component(msgspec.structs.asdict(counts), detail)


def _endpoints(counts: EndpointCounts) -> Component:
    detail = f"{counts.closed} active endpoints have no active auth method and answer 401" if counts.closed else None
    return _component(msgspec.structs.asdict(counts), detail)


def _snapshots(freshness: Freshness) -> Component:
    counts = {"scheduled": freshness.examined, "stale": len(freshness.stale)}
    return _component(counts, f"{len(freshness.stale)} snapshots are stale" if freshness.stale else None)


def oldest_wait_s(counts: SchedulerCounts) -> float | None:
    """For how many seconds the oldest run that may be claimed has waited; null when none does."""
    oldest: datetime | None = counts.oldest_queued_at
    return None if oldest is None else max(0.0, round((counts.now - oldest).total_seconds(), 3))
