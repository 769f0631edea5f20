"""Making runs: those that a schedule is due for, those that an admin or a changed spec asks for."""

import uuid
from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import JobRun, Schedule
from qg_store.repositories.job_runs.claims import storable_detail
from qg_store.repositories.statements import MOMENT, MOMENTS, ROW_ID, statement

ROWS_PER_STATEMENT = 5_000


class Planned(msgspec.Struct, frozen=True):
    """What one look at a schedule made: the run to be claimed, if any, and how many times are on record as skipped."""

    queued: str | None
    skipped: int


_LOCK = statement(
    "SELECT next_run_at FROM schedules WHERE id = :schedule_id AND is_active FOR NO KEY UPDATE SKIP LOCKED",
    schedule_id=ROW_ID,
)
# Not by the ORM: it would write `updated_at`, which is the admins'.
_SET_NEXT = statement(
    "UPDATE schedules SET next_run_at = :next_run_at WHERE id = :schedule_id", schedule_id=ROW_ID, next_run_at=MOMENT
)
_ADD = statement(
    """
INSERT INTO job_runs (id, schedule_id, endpoint_id, planned_at, reason, status, finished_at, error_detail)
SELECT gen_random_uuid(), :schedule_id, :endpoint_id, planned.at, 'schedule', :status, :finished_at, :error_detail
FROM unnest(:planned) AS planned (at)
ON CONFLICT (schedule_id, planned_at) DO NOTHING
RETURNING id::text
""",
    schedule_id=ROW_ID,
    endpoint_id=ROW_ID,
    finished_at=MOMENT,
    planned=MOMENTS,
)


async def plan(
    session: AsyncSession, schedule: Schedule, due: Sequence[datetime], next_run_at: datetime | None, now: datetime
) -> Planned | None:
    """One row per time of `due`, all at or before `now`; the newest is queued, the times before it are `skipped`.

    It is skipped too while an earlier scheduled run still waits or runs. A time that has its row already gets no other
    one. None: somebody else is at this schedule, was at it since `schedule` was read, or it was paused or deleted.
    """
    locked = (await session.execute(_LOCK, {"schedule_id": schedule.id})).one_or_none()
    if locked is None or locked.next_run_at != schedule.next_run_at:
        return None
    times = sorted(set(due))
    if times and times[-1] > now:
        raise ValueError("a run can't be planned before its time has come")
    queued: str | None = None
    skipped = 0
    if times:
        newest = times.pop()
        earlier = await _unfinished_before(session, schedule.id, newest)
        missed = f"nobody looked in time; the run planned for {newest.isoformat()} stands for this one"
        if earlier is not None:
            missed = f"the run planned for {earlier.isoformat()} was not finished yet"
            times.append(newest)
        else:
            added = await _add(session, schedule, [newest], "queued", None, None)
            queued = added[0] if added else None
        for start in range(0, len(times), ROWS_PER_STATEMENT):
            batch = times[start : start + ROWS_PER_STATEMENT]
            skipped += len(await _add(session, schedule, batch, "skipped", now, missed))
    await session.execute(_SET_NEXT, {"schedule_id": schedule.id, "next_run_at": next_run_at})
    return Planned(queued, skipped)


async def enqueue(session: AsyncSession, schedule: Schedule, reason: str) -> JobRun:
    """A run beside the planned ones (`manual`, `spec_changed`), to start as soon as a slot is free.

    One that still waits is enough: it is returned as it is. It is locked until the transaction ends, so that it can't
    start from what was true before; one that is being claimed at this moment is not waited for.
    """
    waiting = await session.scalar(
        select(JobRun)
        .where(
            JobRun.schedule_id == schedule.id,
            JobRun.status == "queued",
            JobRun.reason != "schedule",
            JobRun.attempt == 0,
        )
        .order_by(JobRun.planned_at)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    )
    if waiting is not None:
        return waiting
    run = JobRun(
        id=str(uuid.uuid4()),
        schedule_id=schedule.id,
        endpoint_id=schedule.endpoint_id,
        planned_at=func.clock_timestamp(),
        reason=str(reason),
        status="queued",
    )
    session.add(run)
    await session.flush()
    return run


async def cancel_queued(session: AsyncSession, schedule_id: str, why: str) -> int:
    """Make `skipped` of the runs of a schedule that still wait (it was paused or deleted); how many there were."""
    rows = await session.execute(
        update(JobRun)
        .where(JobRun.schedule_id == schedule_id, JobRun.status == "queued")
        .values(status="skipped", finished_at=func.clock_timestamp(), error_detail=storable_detail(why))
        .returning(JobRun.id),
        execution_options={"synchronize_session": "fetch"},
    )
    return len(rows.all())


async def _unfinished_before(session: AsyncSession, schedule_id: str, planned_at: datetime) -> datetime | None:
    return await session.scalar(
        select(JobRun.planned_at)
        .where(
            JobRun.schedule_id == schedule_id,
            JobRun.reason == "schedule",
            JobRun.status.in_(("queued", "running")),
            JobRun.planned_at < planned_at,
        )
        .order_by(JobRun.planned_at.desc())
        .limit(1)
    )


async def _add(
    session: AsyncSession,
    schedule: Schedule,
    planned: Sequence[datetime],
    status: str,
    finished_at: datetime | None,
    error_detail: str | None,
) -> list[str]:
    values = {
        "schedule_id": schedule.id,
        "endpoint_id": schedule.endpoint_id,
        "planned": list(planned),
        "status": status,
        "finished_at": finished_at,
        "error_detail": error_detail,
    }
    return list((await session.execute(_ADD, values)).scalars())
