"""Admins."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Admin
from qg_store.repositories.unique import flush_unique


async def by_id(session: AsyncSession, admin_id: str) -> Admin | None:
    """One admin."""
    return await session.get(Admin, admin_id)


async def by_username(session: AsyncSession, username: str) -> Admin | None:
    """One admin by the exact name."""
    return (await session.execute(select(Admin).where(Admin.username == username))).scalar_one_or_none()


async def every(session: AsyncSession) -> list[Admin]:
    """All admins by name."""
    return list((await session.execute(select(Admin).order_by(Admin.username))).scalars())


async def others_with_role(session: AsyncSession, role: str, but: str) -> int:
    """How many admins of `role` there are beside `but`."""
    statement = select(func.count()).select_from(Admin).where(Admin.role == role, Admin.id != but)
    return (await session.execute(statement)).scalar_one()


async def save(session: AsyncSession, admin: Admin) -> None:
    """Add or update. Raises `NameTaken`."""
    session.add(admin)
    await flush_unique(session, {"uq_admins_username": "An admin with this user name exists."})


async def delete(session: AsyncSession, admin: Admin) -> None:
    """Remove."""
    await session.delete(admin)
    await session.flush()
