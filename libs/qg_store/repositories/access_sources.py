"""How far each node's log is stored. The sink locks and writes these rows together with the events (`worker`)."""

from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import AccessSource


class Watermark(msgspec.Struct, frozen=True):
    """All sequence numbers of a log up to `persisted` are settled, `lost` of them by giving them up."""

    log_id: str
    persisted: int
    lost: int


async def watermarks(session: AsyncSession) -> list[Watermark]:
    """All logs, by id."""
    rows = await session.execute(
        select(AccessSource.log_id, AccessSource.persisted, AccessSource.lost).order_by(AccessSource.log_id)
    )
    return [Watermark(*row) for row in rows]


async def prune(session: AsyncSession, days: int) -> list[str]:
    """Forget logs that were not heard of for `days`; their ids. A log that comes back counts what it has as new."""
    rows = await session.execute(
        delete(AccessSource)
        .where(AccessSource.last_seen < func.now() - timedelta(days=days))
        .returning(AccessSource.log_id),
        execution_options={"synchronize_session": False},
    )
    return list(rows.scalars())
