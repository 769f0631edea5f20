"""Job runs: one planned execution each, and the slots that bound how many are live at once."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, CreatedAt, RowId

ERROR_DETAIL_CHARS_MAX = 2_000
SLOTS_MAX = 10


class JobRun(CreatedAt, Base):
    """One run. While it is `running` it holds a slot and a lease; `token` grows whenever it changes hands.

    `endpoint_id` is no foreign key: the record of what ran outlives its endpoint.
    """

    __tablename__ = "job_runs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "planned_at"),
        # At most one live run per schedule, whoever races.
        Index("uq_job_runs_running", "schedule_id", unique=True, postgresql_where=sql("status = 'running'")),
        Index("ix_job_runs_queued", "available_at", postgresql_where=sql("status = 'queued'")),
        Index("ix_job_runs_planned_at", "planned_at", "id"),
        Index("ix_job_runs_endpoint_id", "endpoint_id", "planned_at"),
        Index("ix_job_runs_finished_at", "finished_at"),
        CheckConstraint("reason IN ('schedule', 'manual', 'spec_changed')", name="reason"),
        CheckConstraint(
            "status IN ('queued', 'running', 'success', 'failed', 'timeout', 'lost', 'skipped')", name="status"
        ),
        CheckConstraint(
            "CASE WHEN status = 'running' THEN num_nulls(worker, lease_until, slot, started_at) = 0"
            " ELSE num_nonnulls(lease_until, slot) = 0 END",
            name="held_while_running",
        ),
        CheckConstraint("(status IN ('queued', 'running')) = (finished_at IS NULL)", name="finished"),
        CheckConstraint(f"length(error_detail) <= {ERROR_DETAIL_CHARS_MAX}", name="error_detail"),
        CheckConstraint("attempt >= 0 AND token >= 0 AND row_count >= 0", name="counts"),
    )

    id: Mapped[str] = mapped_column(RowId, primary_key=True)
    schedule_id: Mapped[str | None] = mapped_column(RowId, ForeignKey("schedules.id", ondelete="SET NULL"))
    endpoint_id: Mapped[str] = mapped_column(RowId)
    planned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    reason: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    available_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    row_count: Mapped[int | None] = mapped_column(BigInteger)
    error_detail: Mapped[str | None] = mapped_column(Text)
    worker: Mapped[str | None] = mapped_column(String(255))
    token: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    slot: Mapped[int | None] = mapped_column(Integer)


class JobSlot(Base):
    """One of the places for live runs, made by the migration; `run_id` is null while it is free."""

    __tablename__ = "job_slots"
    __table_args__ = (
        UniqueConstraint("run_id"),
        CheckConstraint(f"slot BETWEEN 1 AND {SLOTS_MAX}", name="slot"),
    )

    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    run_id: Mapped[str | None] = mapped_column(RowId, ForeignKey("job_runs.id", ondelete="SET NULL"))
