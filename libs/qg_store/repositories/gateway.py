"""The one row about this gateway."""

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Gateway


async def claim(session: AsyncSession, gateway_id: str) -> str:
    """Make the database this gateway's if it is nobody's yet; returns whose it is."""
    await session.execute(insert(Gateway).values(gateway_id=gateway_id).on_conflict_do_nothing())
    return (await session.execute(select(Gateway.gateway_id))).scalar_one()


async def owner(session: AsyncSession) -> str | None:
    """Whose database it is, null while it is nobody's yet."""
    return (await session.execute(select(Gateway.gateway_id))).scalar_one_or_none()


async def admin_seed_locked(session: AsyncSession) -> str | None:
    """The digest of the seeded admin last taken from the environment; the row stays locked until the commit."""
    return (await session.execute(select(Gateway.admin_seed).with_for_update())).scalar_one()


async def note_admin_seed(session: AsyncSession, digest: str) -> None:
    """Remember which seeded admin was taken."""
    await session.execute(update(Gateway).values(admin_seed=digest))
