"""What the schedule routes read and answer."""

import enum
from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from control_plane.input.kinds import RowIdText
from control_plane.roles import Role, may
from qg_core.job_runs import RunReason, RunStatus
from qg_core.schedule_times import CRON_LENGTH_MAX, INTERVAL_SECONDS_MAX, INTERVAL_SECONDS_MIN
from qg_store.models import JobRun, Schedule, Snapshot

CronExpression = Annotated[
    str,
    Meta(min_length=1, max_length=CRON_LENGTH_MAX, description="Minute, hour, day of month, month, day of week."),
]
IntervalSeconds = Annotated[int, Meta(ge=INTERVAL_SECONDS_MIN, le=INTERVAL_SECONDS_MAX)]
Timezone = Annotated[str, Meta(min_length=1, max_length=64, description="A zone of the IANA database.")]
Limit = Annotated[int, Meta(ge=1, le=200)]


class ScheduleType(enum.StrEnum):
    CRON = "cron"
    INTERVAL = "interval"


class ScheduleCreate(Struct, frozen=True, kw_only=True):
    """`cron` needs `cron_expression`, `interval` needs `interval_seconds`; the other one must be left out."""

    endpoint_id: RowIdText
    schedule_type: ScheduleType
    cron_expression: CronExpression | None = None
    interval_seconds: IntervalSeconds | None = None
    timezone: Timezone = "UTC"
    is_active: bool = True


class ScheduleUpdate(Struct, frozen=True, kw_only=True):
    endpoint_id: RowIdText | UnsetType = UNSET
    schedule_type: ScheduleType | UnsetType = UNSET
    cron_expression: CronExpression | UnsetType | None = UNSET
    interval_seconds: IntervalSeconds | UnsetType | None = UNSET
    timezone: Timezone | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class ScheduleView(Struct, frozen=True, kw_only=True):
    """`next_run_at` is null while the schedule is paused, or when no further time comes."""

    id: RowIdText
    endpoint_id: RowIdText
    schedule_type: ScheduleType
    cron_expression: str | None
    interval_seconds: int | None
    timezone: str
    is_active: bool
    last_run_at: datetime | None
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime


class RunQueuedView(Struct, frozen=True, kw_only=True):
    """`job_run_id` is the run that waits now; also when one waited already."""

    status: RunStatus
    job_run_id: RowIdText


class JobQuery(Struct, frozen=True, kw_only=True):
    schedule_id: RowIdText | None = None
    endpoint_id: RowIdText | None = None
    limit: Limit = 50


class JobRunView(Struct, frozen=True, kw_only=True):
    """`error_detail` is for the role admin alone, null for everybody else; `schedule_id` is null once it is deleted."""

    id: RowIdText
    schedule_id: RowIdText | None
    endpoint_id: RowIdText
    planned_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    status: RunStatus
    reason: RunReason
    row_count: int | None
    error_detail: str | None
    attempt: int


class SnapshotQuery(Struct, frozen=True, kw_only=True):
    limit: Limit = 50


class SnapshotView(Struct, frozen=True, kw_only=True):
    """`bytes` counts the uncompressed text of the rows."""

    id: RowIdText
    endpoint_id: RowIdText
    job_run_id: RowIdText
    row_count: int
    truncated: bool
    bytes: int
    created_at: datetime


class SnapshotDetail(SnapshotView, frozen=True, kw_only=True):
    """A snapshot with its rows, objects by column name; sent as the text that is stored, every digit as it is."""

    data: list[dict[str, Any]]


def schedule_view(row: Schedule) -> ScheduleView:
    """What is shown of a schedule."""
    return ScheduleView(
        id=row.id,
        endpoint_id=row.endpoint_id,
        schedule_type=ScheduleType(row.schedule_type),
        cron_expression=row.cron_expression,
        interval_seconds=row.interval_seconds,
        timezone=row.timezone,
        is_active=row.is_active,
        last_run_at=row.last_run_at,
        next_run_at=row.next_run_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def job_run_view(row: JobRun, role: str) -> JobRunView:
    """What an admin of this role is shown of a run: an error may quote the database."""
    return JobRunView(
        id=row.id,
        schedule_id=row.schedule_id,
        endpoint_id=row.endpoint_id,
        planned_at=row.planned_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        status=RunStatus(row.status),
        reason=RunReason(row.reason),
        row_count=row.row_count,
        error_detail=row.error_detail if may(role, Role.ADMIN) else None,
        attempt=row.attempt,
    )


def snapshot_view(row: Snapshot) -> SnapshotView:
    """What is shown of a snapshot."""
    return SnapshotView(
        id=row.id,
        endpoint_id=row.endpoint_id,
        job_run_id=row.job_run_id,
        row_count=row.row_count,
        truncated=row.truncated,
        bytes=row.bytes,
        created_at=row.created_at,
    )
