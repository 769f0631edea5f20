"""Snapshots: the stored results of successful job runs, compressed and cut into pieces."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, RowId

PIECE_BYTES_MAX = 1_048_576


class Snapshot(Base):
    """One snapshot. `number` grows over all endpoints and fences the copy in Redis; `header` is what is there.

    `bytes` counts the text that consumers get, uncompressed; `stored_bytes` all pieces of all encodings.
    """

    __tablename__ = "snapshots"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("job_run_id"),
        Index("ix_snapshots_endpoint_id", "endpoint_id", "number"),
        CheckConstraint("producer ~ '^[0-9a-f]{64}$'", name="producer"),
        CheckConstraint("row_count >= 0 AND bytes >= 0 AND stored_bytes >= 0", name="counts"),
        CheckConstraint("octet_length(header) BETWEEN 1 AND 65536", name="header"),
    )

    id: Mapped[str] = mapped_column(RowId, primary_key=True)
    # Taken beforehand with `snapshots.take_number`, since the sealed header holds it.
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=False))
    endpoint_id: Mapped[str] = mapped_column(RowId)
    job_run_id: Mapped[str] = mapped_column(RowId)
    producer: Mapped[str] = mapped_column(String(64))
    header: Mapped[bytes] = mapped_column(LargeBinary)
    row_count: Mapped[int] = mapped_column(BigInteger)
    truncated: Mapped[bool] = mapped_column(Boolean)
    bytes: Mapped[int] = mapped_column(BigInteger)
    stored_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class SnapshotPiece(Base):
    """One piece of one encoding; the pieces of an encoding in the order of `number`, from 0, are its body."""

    __tablename__ = "snapshot_pieces"
    __table_args__ = (
        CheckConstraint("number >= 0", name="number"),
        CheckConstraint(f"octet_length(body) BETWEEN 1 AND {PIECE_BYTES_MAX}", name="body"),
    )

    snapshot_id: Mapped[str] = mapped_column(RowId, ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True)
    encoding: Mapped[str] = mapped_column(String(16), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(LargeBinary)
