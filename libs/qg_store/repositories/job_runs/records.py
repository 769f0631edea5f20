"""Reading what ran, and forgetting it in time."""

from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import JobRun

PRUNED_ROWS_MAX = 10_000


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to show; null means any."""

    schedule_id: str | None = None
    endpoint_id: str | None = None


async def one(session: AsyncSession, run_id: str) -> JobRun | None:
    """One run."""
    return await session.get(JobRun, run_id)


async def page(session: AsyncSession, wanted: RunFilter, limit: int) -> list[JobRun]:
    """The latest planned first, at most `limit`."""
    statement = select(JobRun).order_by(JobRun.planned_at.desc(), JobRun.id.desc()).limit(limit)
    if wanted.schedule_id is not None:
        statement = statement.where(JobRun.schedule_id == wanted.schedule_id)
    if wanted.endpoint_id is not None:
        statement = statement.where(JobRun.endpoint_id == wanted.endpoint_id)
    return list((await session.execute(statement)).scalars())


async def prune(session: AsyncSession, days: int, rows_max: int = PRUNED_ROWS_MAX) -> int:
    """Forget runs that ended more than `days` ago, the oldest first; how many, at most `rows_max`."""
    aged = (
        select(JobRun.id)
        .where(JobRun.finished_at < func.now() - timedelta(days=days))
        .order_by(JobRun.finished_at)
        .limit(rows_max)
    )
    rows = await session.execute(
        delete(JobRun).where(JobRun.id.in_(aged)).returning(JobRun.id),
        execution_options={"synchronize_session": False},
    )
    return len(rows.all())
