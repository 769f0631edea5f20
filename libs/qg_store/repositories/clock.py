"""Postgres' clock, by which schedules, leases and partitions go: those of the services' machines may differ."""

from datetime import UTC, date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def now(session: AsyncSession) -> datetime:
    """This moment."""
    moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def begun_at(session: AsyncSession) -> datetime:
    """When the transaction began: `now()` of all its statements."""
    moment: datetime = (await session.execute(select(func.now()))).scalar_one()
    return moment


async def today(session: AsyncSession) -> date:
    """The day in UTC on which the transaction began."""
    return (await begun_at(session)).astimezone(UTC).date()
