"""Snapshots and their pieces. A piece is at most 1 MiB, and never more than one of them is in memory here."""

from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime

import msgspec
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from qg_store.models import Snapshot, SnapshotPiece


class NewSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot to be stored; `number` comes from `take_number`, sizes are bytes."""

    id: str
    number: int
    endpoint_id: str
    job_run_id: str
    producer: str
    header: bytes
    row_count: int
    truncated: bool
    bytes: int
    stored_bytes: int


class Piece(msgspec.Struct, frozen=True):
    """One piece of one encoding, numbered from 0."""

    encoding: str
    number: int
    body: bytes


class SnapshotMark(msgspec.Struct, frozen=True):
    """A snapshot without its pieces."""

    id: str
    number: int
    endpoint_id: str
    producer: str
    header: bytes
    stored_bytes: int
    created_at: datetime


class PieceMissing(LookupError):
    """A piece is not there (any more): the snapshot was deleted meanwhile."""


_MARK = (
    Snapshot.id,
    Snapshot.number,
    Snapshot.endpoint_id,
    Snapshot.producer,
    Snapshot.header,
    Snapshot.stored_bytes,
    Snapshot.created_at,
)


async def take_number(session: AsyncSession) -> int:
    """A number for a snapshot, larger than any before; never given twice, also when the transaction fails."""
    number = await session.scalar(text("SELECT nextval('snapshots_number_seq')"))
    return int(number or 0)


async def add(session: AsyncSession, snapshot: NewSnapshot, pieces: AsyncIterable[Piece]) -> None:
    """Store a snapshot with its pieces, one statement each."""
    await session.execute(insert(Snapshot), [msgspec.structs.asdict(snapshot)])
    async for piece in pieces:
        await session.execute(
            insert(SnapshotPiece),
            [{"snapshot_id": snapshot.id, "encoding": piece.encoding, "number": piece.number, "body": piece.body}],
        )


async def get(session: AsyncSession, snapshot_id: str) -> Snapshot | None:
    """One snapshot."""
    return await session.get(Snapshot, snapshot_id)


async def page(session: AsyncSession, endpoint_id: str, limit: int) -> list[Snapshot]:
    """The newest of an endpoint first, without their headers."""
    rows = await session.execute(
        select(Snapshot)
        .options(defer(Snapshot.header))
        .where(Snapshot.endpoint_id == endpoint_id)
        .order_by(Snapshot.number.desc())
        .limit(limit)
    )
    return list(rows.scalars())


async def newest_of_all(session: AsyncSession) -> list[SnapshotMark]:
    """The newest snapshot of each endpoint that has one."""
    rows = await session.execute(
        select(*_MARK).ext(distinct_on(Snapshot.endpoint_id)).order_by(Snapshot.endpoint_id, Snapshot.number.desc())
    )
    return [SnapshotMark(*row) for row in rows]


async def stored_bytes_of_newest(session: AsyncSession) -> int:
    """What the newest snapshots of all endpoints need in Redis, in bytes."""
    marks = (
        select(Snapshot.stored_bytes)
        .ext(distinct_on(Snapshot.endpoint_id))
        .order_by(Snapshot.endpoint_id, Snapshot.number.desc())
        .subquery()
    )
    return int(await session.scalar(select(func.coalesce(func.sum(marks.c.stored_bytes), 0))) or 0)


async def pieces(session: AsyncSession, snapshot_id: str, encoding: str) -> AsyncIterator[Piece]:
    """The pieces of one encoding in order. Raises `PieceMissing` when one between them is gone.

    One statement per piece: a cursor of the driver would fetch 50 rows ahead.
    """
    belongs = (SnapshotPiece.snapshot_id == snapshot_id, SnapshotPiece.encoding == encoding)
    count = int(await session.scalar(select(func.count(SnapshotPiece.number)).where(*belongs)) or 0)
    for number in range(count):
        body = await session.scalar(select(SnapshotPiece.body).where(*belongs, SnapshotPiece.number == number))
        if body is None:
            raise PieceMissing(f"piece {number} of {encoding} of snapshot {snapshot_id}")
        yield Piece(encoding, number, body)


async def keep_newest(session: AsyncSession, endpoint_id: str, count: int, removed_max: int) -> list[str]:
    """Delete all but the `count` newest snapshots of an endpoint, the oldest first and at most `removed_max`.

    The ids of those deleted.
    """
    numbers = select(Snapshot.number).where(Snapshot.endpoint_id == endpoint_id)
    beyond = numbers.order_by(Snapshot.number.desc()).offset(count).subquery()
    oldest = select(beyond.c.number).order_by(beyond.c.number).limit(removed_max)
    rows = await session.execute(
        delete(Snapshot).where(Snapshot.number.in_(oldest)).returning(Snapshot.id),
        execution_options={"synchronize_session": False},
    )
    return list(rows.scalars())


async def delete_of(session: AsyncSession, endpoint_id: str) -> list[str]:
    """Delete the snapshots of an endpoint that is deleted; their ids."""
    rows = await session.execute(
        delete(Snapshot).where(Snapshot.endpoint_id == endpoint_id).returning(Snapshot.id),
        execution_options={"synchronize_session": False},
    )
    return list(rows.scalars())
