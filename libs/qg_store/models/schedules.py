"""Schedules: when an endpoint's snapshot is to be made again."""

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, DateTime, ForeignKey, Index, Integer, String, UniqueConstraint, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, RowId, Timestamps


class Schedule(Timestamps, Base):
    """One schedule. Intervals count from `anchor_at`; `next_run_at` is null while there is no next time.

    A worker may only write `next_run_at` and `last_run_at`, so `updated_at` is when an admin saved last.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        UniqueConstraint("endpoint_id"),
        Index("ix_schedules_next_run_at", "next_run_at", postgresql_where=sql("is_active")),
        CheckConstraint("schedule_type IN ('cron', 'interval')", name="schedule_type"),
        CheckConstraint("(schedule_type = 'cron') = (cron_expression IS NOT NULL)", name="expression_of_cron"),
        CheckConstraint("(schedule_type = 'interval') = (interval_seconds IS NOT NULL)", name="seconds_of_interval"),
        CheckConstraint("length(cron_expression) BETWEEN 1 AND 255", name="cron_expression"),
        CheckConstraint("interval_seconds >= 10", name="interval_seconds"),
        CheckConstraint("length(timezone) BETWEEN 1 AND 64", name="timezone"),
    )

    id: Mapped[str] = mapped_column(RowId, primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(RowId, ForeignKey("endpoints.id", ondelete="CASCADE"))
    schedule_type: Mapped[str] = mapped_column(String(16))
    cron_expression: Mapped[str | None] = mapped_column(String(255))
    interval_seconds: Mapped[int | None] = mapped_column(Integer)
    timezone: Mapped[str] = mapped_column(String(64), server_default="UTC", default="UTC")
    is_active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
    anchor_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    next_run_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_run_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
