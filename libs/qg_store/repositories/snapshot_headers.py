"""The tagged headers of snapshots, for whoever rotates the key of their tags; their rows and pieces stay."""

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Snapshot


class StoredHeader(msgspec.Struct, frozen=True):
    """The header of one snapshot as it is stored; `number` grows over all endpoints."""

    id: str
    number: int
    endpoint_id: str
    header: bytes


async def page(session: AsyncSession, after: int, limit: int) -> list[StoredHeader]:
    """Those of the next snapshots of all endpoints by number after `after`, at most `limit`."""
    rows = await session.execute(
        select(Snapshot.id, Snapshot.number, Snapshot.endpoint_id, Snapshot.header)
        .where(Snapshot.number > after)
        .order_by(Snapshot.number)
        .limit(limit)
    )
    return [StoredHeader(*row) for row in rows]


async def replace(session: AsyncSession, snapshot_id: str, before: bytes, after: bytes) -> bool:
    """Put `after`, the same header tagged again, in the place of `before`; whether that was there."""
    changed = await session.execute(
        update(Snapshot)
        .where(Snapshot.id == snapshot_id, Snapshot.header == before)
        .values(header=after)
        .returning(Snapshot.id),
        execution_options={"synchronize_session": False},
    )
    return changed.first() is not None
