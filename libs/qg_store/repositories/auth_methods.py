"""Auth methods."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import AuthMethod
from qg_store.repositories.unique import flush_unique


async def by_id(session: AsyncSession, method_id: str) -> AuthMethod | None:
    """One auth method."""
    return await session.get(AuthMethod, method_id)


async def every(session: AsyncSession) -> list[AuthMethod]:
    """All by name."""
    return list((await session.execute(select(AuthMethod).order_by(AuthMethod.name))).scalars())


async def save(session: AsyncSession, method: AuthMethod) -> None:
    """Add or update. Raises `NameTaken`."""
    session.add(method)
    await flush_unique(session, {"uq_auth_methods_name": "An auth method with this name exists."})


async def delete(session: AsyncSession, method: AuthMethod) -> None:
    """Remove it and its credentials; its endpoints must be detached already."""
    await session.delete(method)
    await session.flush()
