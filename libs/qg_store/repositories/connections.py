"""Connections."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Connection, Endpoint
from qg_store.repositories.unique import flush_unique


async def by_id(session: AsyncSession, connection_id: str) -> Connection | None:
    """One connection."""
    return await session.get(Connection, connection_id)


async def every(session: AsyncSession, *, active_only: bool = False) -> list[Connection]:
    """All, or all active ones, by name."""
    statement = select(Connection).order_by(Connection.name)
    if active_only:
        statement = statement.where(Connection.is_active)
    return list((await session.execute(statement)).scalars())


async def save(session: AsyncSession, connection: Connection) -> None:
    """Add or update. Raises `NameTaken`."""
    session.add(connection)
    await flush_unique(session, {"uq_connections_name": "A connection with this name exists."})


async def delete(session: AsyncSession, connection: Connection) -> None:
    """Remove; no endpoint may use it."""
    await session.delete(connection)
    await session.flush()


async def endpoint_names(session: AsyncSession, connection_id: str, limit: int) -> list[str]:
    """The names of at most `limit` endpoints that use it."""
    statement = select(Endpoint.name).where(Endpoint.connection_id == connection_id).order_by(Endpoint.name)
    return list((await session.execute(statement.limit(limit))).scalars())
