"""The sealed secrets of all tables, for whoever seals them again; nothing else of the rows is read or changed."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Admin, AuthMethod, Base, Connection, Credential


class SealedSecret(msgspec.Struct, frozen=True):
    """The id of a row and its sealed secret as it is stored."""

    id: str
    sealed: str


_MODELS: dict[str, type[Base]] = {
    "connections": Connection,
    "auth_methods": AuthMethod,
    "credentials": Credential,
    "admins": Admin,
}

TABLES = tuple(_MODELS)
"""Every table that has sealed secrets."""


async def page(session: AsyncSession, table: str, after: str | None, limit: int) -> list[SealedSecret]:
    """The next rows of `table` after the id `after` that have a secret, by id, at most `limit`."""
    columns = _table(table).c
    statement = select(columns.id, columns.sealed).where(columns.sealed.is_not(None)).order_by(columns.id).limit(limit)
    if after is not None:
        statement = statement.where(columns.id > after)
    return [SealedSecret(row.id, row.sealed) for row in await session.execute(statement)]


async def lock(session: AsyncSession, table: str, ids: Sequence[str]) -> list[SealedSecret]:
    """Those of these rows that still have a secret, as they are now, locked until the transaction ends.

    A row that somebody else has locked is left out: nobody is waited for, so there is no deadlock with an admin's edit
    that takes rows in another order.
    """
    columns = _table(table).c
    statement = (
        select(columns.id, columns.sealed)
        .where(columns.id.in_(list(ids)), columns.sealed.is_not(None))
        .order_by(columns.id)
        .with_for_update(skip_locked=True)
    )
    return [SealedSecret(row.id, row.sealed) for row in await session.execute(statement)]


async def replace(session: AsyncSession, table: str, sealed: Mapping[str, str]) -> None:
    """Write the secrets of rows that this transaction has locked (id -> sealed). They don't count as saved anew."""
    if not sealed:
        return
    found = _table(table)
    values: dict[str, object] = {"sealed": bindparam("token")}
    if "updated_at" in found.c:
        values["updated_at"] = found.c.updated_at
    statement = update(found).where(found.c.id == bindparam("row_id")).values(values)
    connection = await session.connection()
    await connection.execute(statement, [{"row_id": row_id, "token": token} for row_id, token in sealed.items()])


async def count(session: AsyncSession, table: str) -> int:
    """How many rows of `table` have a secret."""
    found = _table(table)
    return int(await session.scalar(select(func.count(found.c.id)).where(found.c.sealed.is_not(None))) or 0)


def _table(name: str) -> Table:
    table = _MODELS[name].__table__
    assert isinstance(table, Table)  # noqa: S101 - says so to the type checker
    return table
