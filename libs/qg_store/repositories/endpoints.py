"""Endpoints."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Endpoint
from qg_store.repositories.unique import flush_unique


async def by_id(session: AsyncSession, endpoint_id: str) -> Endpoint | None:
    """One endpoint."""
    return await session.get(Endpoint, endpoint_id)


async def every(session: AsyncSession, *, active_only: bool = False, public: bool | None = None) -> list[Endpoint]:
    """All by path; `public` keeps those that answer (or, false, don't answer) without any credential."""
    statement = select(Endpoint).order_by(Endpoint.path)
    if active_only:
        statement = statement.where(Endpoint.is_active)
    if public is not None:
        is_public = Endpoint.allow_unauthenticated & Endpoint.auth_method_id.is_(None)
        statement = statement.where(is_public if public else ~is_public)
    return list((await session.execute(statement)).scalars())


async def save(session: AsyncSession, endpoint: Endpoint) -> None:
    """Add or update. Raises `NameTaken`."""
    session.add(endpoint)
    await flush_unique(
        session,
        {
            "uq_endpoints_name": "An endpoint with this name exists.",
            "uq_endpoints_path": "An endpoint with this path exists.",
        },
    )


async def delete(session: AsyncSession, endpoint: Endpoint) -> None:
    """Remove."""
    await session.delete(endpoint)
    await session.flush()


async def detach(session: AsyncSession, method_id: str) -> list[str]:
    """Take an auth method off its endpoints; their ids.

    They must not become public by that, so `allow_unauthenticated` is taken back too.
    """
    statement = (
        update(Endpoint)
        .where(Endpoint.auth_method_id == method_id)
        .values(auth_method_id=None, allow_unauthenticated=False)
        .returning(Endpoint.id)
    )
    return list((await session.execute(statement, execution_options={"synchronize_session": "fetch"})).scalars())
