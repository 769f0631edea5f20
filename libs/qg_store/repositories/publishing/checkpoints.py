"""Signed checkpoints."""

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import StoredCheckpoint
from qg_store.repositories.publishing.sealed import SealedRow


class CheckpointMark(msgspec.Struct, frozen=True):
    """Which checkpoint there is, since when, and how large it is."""

    revision: int
    created_at: datetime
    size_bytes: int


async def add_checkpoint(session: AsyncSession, checkpoint: SealedRow) -> None:
    """Keep a signed checkpoint. Publish lock."""
    await session.execute(insert(StoredCheckpoint), [msgspec.structs.asdict(checkpoint)])


async def newest_checkpoint(session: AsyncSession, at_most: int) -> SealedRow | None:
    """The newest checkpoint of a revision up to `at_most`."""
    rows = await session.execute(
        select(StoredCheckpoint.revision, StoredCheckpoint.body)
        .where(StoredCheckpoint.revision <= at_most)
        .order_by(StoredCheckpoint.revision.desc())
        .limit(1)
    )
    row = rows.one_or_none()
    return SealedRow(row.revision, row.body) if row else None


async def checkpoint(session: AsyncSession, revision: int) -> SealedRow | None:
    """The checkpoint of exactly this revision."""
    body = (
        await session.execute(select(StoredCheckpoint.body).where(StoredCheckpoint.revision == revision))
    ).scalar_one_or_none()
    return SealedRow(revision, body) if body is not None else None


async def checkpoint_marks(session: AsyncSession) -> list[CheckpointMark]:
    """All checkpoints that are kept, newest first, without their bytes."""
    rows = await session.execute(
        select(
            StoredCheckpoint.revision,
            StoredCheckpoint.created_at,
            func.octet_length(StoredCheckpoint.body).label("size_bytes"),
        ).order_by(StoredCheckpoint.revision.desc())
    )
    return [CheckpointMark(row.revision, row.created_at, row.size_bytes) for row in rows]


async def newest_checkpoint_mark(session: AsyncSession, at_most: int) -> CheckpointMark | None:
    """The newest checkpoint of a revision up to `at_most`, without its bytes."""
    rows = await session.execute(
        select(
            StoredCheckpoint.revision,
            StoredCheckpoint.created_at,
            func.octet_length(StoredCheckpoint.body).label("size_bytes"),
        )
        .where(StoredCheckpoint.revision <= at_most)
        .order_by(StoredCheckpoint.revision.desc())
        .limit(1)
    )
    row = rows.one_or_none()
    return CheckpointMark(row.revision, row.created_at, row.size_bytes) if row else None


async def drop_checkpoints(session: AsyncSession, kept: Collection[int]) -> None:
    """Forget all checkpoints older than the newest kept one, but the kept ones. Activation lock."""
    await session.execute(
        delete(StoredCheckpoint).where(
            StoredCheckpoint.revision.not_in(list(kept)), StoredCheckpoint.revision < max(kept)
        )
    )
