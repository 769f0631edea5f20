"""Schedules. Workers may only read them, lock them and move `next_run_at` and `last_run_at` (see `job_runs`)."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from qg_store.models import Endpoint, Schedule
from qg_store.repositories.statements import ROW_IDS, bound_idle
from qg_store.repositories.unique import flush_unique

DUE_IDLE_MAX_S = 5.0
"""How long a scheduler that has locked schedules may say nothing: the others skip them meanwhile."""


async def by_id(session: AsyncSession, schedule_id: str) -> Schedule | None:
    """One schedule."""
    return await session.get(Schedule, schedule_id)


async def locked(session: AsyncSession, schedule_id: str) -> Schedule | None:
    """One schedule as it is now, kept from workers and other admins until the transaction ends."""
    return await session.get(Schedule, schedule_id, with_for_update={"key_share": True}, populate_existing=True)


async def by_endpoint(session: AsyncSession, endpoint_id: str) -> Schedule | None:
    """The schedule of an endpoint."""
    return await session.scalar(select(Schedule).where(Schedule.endpoint_id == endpoint_id))


async def every(session: AsyncSession) -> list[Schedule]:
    """All, the oldest first."""
    return list((await session.execute(select(Schedule).order_by(Schedule.created_at, Schedule.id))).scalars())


async def touched_by(
    session: AsyncSession, endpoint_ids: Iterable[str], connection_ids: Iterable[str]
) -> list[Schedule]:
    """The schedules of these endpoints, and of all that now use these connections."""
    rows = await session.scalars(
        select(Schedule)
        .join(Endpoint, Endpoint.id == Schedule.endpoint_id)
        .where(or_(_among(Endpoint.id, endpoint_ids), _among(Endpoint.connection_id, connection_ids)))
        .order_by(Schedule.id)
    )
    return list(rows)


async def save(session: AsyncSession, schedule: Schedule) -> None:
    """Add or update. Raises `NameTaken`."""
    session.add(schedule)
    await flush_unique(session, {"uq_schedules_endpoint_id": "This endpoint has a schedule already."})


async def delete(session: AsyncSession, schedule: Schedule) -> None:
    """Remove; its runs stay on record."""
    await session.delete(schedule)
    await session.flush()


async def lock_due(session: AsyncSession, limit: int, *, without: Iterable[str] = ()) -> list[Schedule]:
    """Schedules whose time has come, the most overdue first, locked until the transaction ends; none of `without`.

    SKIP LOCKED: schedulers of several workers tick together, and none waits for another. The lock leaves others free
    to add runs of the schedule. Postgres ends the transaction when it says nothing for `DUE_IDLE_MAX_S`.
    """
    await bound_idle(session, DUE_IDLE_MAX_S)
    rows = await session.execute(
        select(Schedule)
        .where(Schedule.is_active, Schedule.next_run_at <= func.now(), ~_among(Schedule.id, without))
        .order_by(Schedule.next_run_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(rows.scalars())


def _among(column: InstrumentedAttribute[str], ids: Iterable[str]) -> ColumnElement[bool]:
    """As one array: a rollback may touch more ids than a statement may have binds."""
    return column == func.any(cast(list(ids), ROW_IDS))
