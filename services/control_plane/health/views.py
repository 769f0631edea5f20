"""What the health routes answer."""

from datetime import datetime

from msgspec import Struct

from control_plane.health.dashboard import Component, Overview, Status, oldest_wait_s
from control_plane.health.stale_snapshots import StaleReason
from control_plane.input.kinds import RowIdText
from control_plane.schedules.views import JobRunView, job_run_view

STALE_SHOWN_MAX = 100


class LiveAnswer(Struct, frozen=True):
    status: str


class ReadyAnswer(Struct, frozen=True):
    """`status` is ok, or degraded (503) without Postgres; `checks` say ok or unavailable each."""

    status: str
    checks: dict[str, str]


class SchedulerView(Struct, frozen=True, kw_only=True):
    """`due` schedules wait to be planned, `overdue` ones for longer than 15 s; `live` and `queued` count job runs.

    `slots_max` is the stored `max_job_concurrency`, else its default; the oldest queued run could have been claimed
    since `oldest_queued_at`.
    """

    status: Status
    detail: str | None
    active: int
    due: int
    overdue: int
    live: int
    queued: int
    slots_taken: int
    slots_max: int
    oldest_queued_at: datetime | None
    oldest_queued_s: float | None


class StaleSnapshotView(Struct, frozen=True, kw_only=True):
    """`missing`: none yet; `other_producer`: the endpoint has changed since; `old`: two planned times have passed."""

    endpoint_id: RowIdText
    path: str
    schedule_id: RowIdText
    reason: StaleReason
    created_at: datetime | None
    age_seconds: float | None


class PublicEndpointView(Struct, frozen=True, kw_only=True):
    id: RowIdText
    name: str
    path: str


class DashboardAnswer(Struct, frozen=True, kw_only=True):
    """At most 20 `recent_jobs`, 100 `stale_snapshots` and 100 `public_endpoints`; `components` has the whole counts."""

    overall: Status
    components: dict[str, Component]
    scheduler: SchedulerView
    recent_jobs: list[JobRunView]
    stale_snapshots: list[StaleSnapshotView]
    public_endpoints: list[PublicEndpointView]


def dashboard_view(found: Overview, role: str) -> DashboardAnswer:
    """What an admin of this role is shown."""
    stored = found.stored
    return DashboardAnswer(
        overall=found.overall,
        components=found.components,
        scheduler=_scheduler_view(found),
        recent_jobs=[job_run_view(run, role) for run in stored.runs],
        stale_snapshots=[
            StaleSnapshotView(
                endpoint_id=item.endpoint_id,
                path=item.path,
                schedule_id=item.schedule_id,
                reason=item.reason,
                created_at=item.created_at,
                age_seconds=_age_s(item.created_at, stored.scheduler.now),
            )
            for item in stored.freshness.stale[:STALE_SHOWN_MAX]
        ],
        public_endpoints=[PublicEndpointView(id=item.id, name=item.name, path=item.path) for item in stored.public],
    )


def _scheduler_view(found: Overview) -> SchedulerView:
    counts = found.stored.scheduler
    return SchedulerView(
        status=Status.OK if found.scheduler_detail is None else Status.DEGRADED,
        detail=found.scheduler_detail,
        active=counts.active,
        due=counts.due,
        overdue=counts.overdue,
        live=counts.live,
        queued=counts.queued,
        slots_taken=counts.slots_taken,
        slots_max=found.stored.slots_max,
        oldest_queued_at=counts.oldest_queued_at,
        oldest_queued_s=oldest_wait_s(counts),
    )


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, round((now - moment).total_seconds(), 3))
