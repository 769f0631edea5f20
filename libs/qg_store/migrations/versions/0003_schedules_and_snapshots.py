"""Schedules, their job runs with the slots for live ones, and the snapshots that runs leave.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

from qg_store.migrations.roles import APP, WORKER

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SLOTS = 10

# Workers run what admins have planned: they can't make schedules, nor change what or when one runs.
_GRANTS = (
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON schedules TO {APP}",
    f"GRANT SELECT, UPDATE (next_run_at, last_run_at) ON schedules TO {WORKER}",
    f"GRANT SELECT, INSERT, UPDATE (status, finished_at, error_detail) ON job_runs TO {APP}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON job_runs TO {WORKER}",
    f"GRANT SELECT ON job_slots TO {APP}",
    f"GRANT SELECT, UPDATE (run_id) ON job_slots TO {WORKER}",
    f"GRANT SELECT, DELETE ON snapshots, snapshot_pieces TO {APP}",
    f"GRANT SELECT, INSERT, DELETE ON snapshots, snapshot_pieces TO {WORKER}",
    f"GRANT USAGE ON SEQUENCE snapshots_number_seq TO {WORKER}",
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("schedule_type", sa.String(length=16), nullable=False),
        sa.Column("cron_expression", sa.String(length=255), nullable=True),
        sa.Column("interval_seconds", sa.Integer(), nullable=True),
        sa.Column("timezone", sa.String(length=64), server_default="UTC", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("anchor_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(schedule_type = 'cron') = (cron_expression IS NOT NULL)", name=op.f("ck_schedules_expression_of_cron")
        ),
        sa.CheckConstraint(
            "(schedule_type = 'interval') = (interval_seconds IS NOT NULL)",
            name=op.f("ck_schedules_seconds_of_interval"),
        ),
        sa.CheckConstraint("schedule_type IN ('cron', 'interval')", name=op.f("ck_schedules_schedule_type")),
        sa.CheckConstraint("length(cron_expression) BETWEEN 1 AND 255", name=op.f("ck_schedules_cron_expression")),
        sa.CheckConstraint("interval_seconds >= 10", name=op.f("ck_schedules_interval_seconds")),
        sa.CheckConstraint("length(timezone) BETWEEN 1 AND 64", name=op.f("ck_schedules_timezone")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoints.id"], name=op.f("fk_schedules_endpoint_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("endpoint_id", name=op.f("uq_schedules_endpoint_id")),
    )
    op.create_index("ix_schedules_next_run_at", "schedules", ["next_run_at"], postgresql_where=sa.text("is_active"))
    op.create_table(
        "job_runs",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("schedule_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("endpoint_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.Column("worker", sa.String(length=255), nullable=True),
        sa.Column("token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("reason IN ('schedule', 'manual', 'spec_changed')", name=op.f("ck_job_runs_reason")),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'success', 'failed', 'timeout', 'lost', 'skipped')",
            name=op.f("ck_job_runs_status"),
        ),
        sa.CheckConstraint(
            "CASE WHEN status = 'running' THEN num_nulls(worker, lease_until, slot, started_at) = 0"
            " ELSE num_nonnulls(lease_until, slot) = 0 END",
            name=op.f("ck_job_runs_held_while_running"),
        ),
        sa.CheckConstraint(
            "(status IN ('queued', 'running')) = (finished_at IS NULL)", name=op.f("ck_job_runs_finished")
        ),
        sa.CheckConstraint("length(error_detail) <= 2000", name=op.f("ck_job_runs_error_detail")),
        sa.CheckConstraint("attempt >= 0 AND token >= 0 AND row_count >= 0", name=op.f("ck_job_runs_counts")),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedules.id"], name=op.f("fk_job_runs_schedule_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_runs")),
        sa.UniqueConstraint("schedule_id", "planned_at", name=op.f("uq_job_runs_schedule_id_planned_at")),
    )
    op.create_index(
        "uq_job_runs_running",
        "job_runs",
        ["schedule_id"],
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index("ix_job_runs_queued", "job_runs", ["available_at"], postgresql_where=sa.text("status = 'queued'"))
    op.create_index("ix_job_runs_planned_at", "job_runs", ["planned_at", "id"])
    op.create_index("ix_job_runs_endpoint_id", "job_runs", ["endpoint_id", "planned_at"])
    op.create_index("ix_job_runs_finished_at", "job_runs", ["finished_at"])
    op.create_table(
        "job_slots",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint(f"slot BETWEEN 1 AND {_SLOTS}", name=op.f("ck_job_slots_slot")),
        sa.ForeignKeyConstraint(["run_id"], ["job_runs.id"], name=op.f("fk_job_slots_run_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_job_slots")),
        sa.UniqueConstraint("run_id", name=op.f("uq_job_slots_run_id")),
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("job_run_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("producer", sa.String(length=64), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("truncated", sa.Boolean(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("producer ~ '^[0-9a-f]{64}$'", name=op.f("ck_snapshots_producer")),
        sa.CheckConstraint("row_count >= 0 AND bytes >= 0 AND stored_bytes >= 0", name=op.f("ck_snapshots_counts")),
        sa.CheckConstraint("octet_length(header) BETWEEN 1 AND 65536", name=op.f("ck_snapshots_header")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
        sa.UniqueConstraint("number", name=op.f("uq_snapshots_number")),
        sa.UniqueConstraint("job_run_id", name=op.f("uq_snapshots_job_run_id")),
    )
    op.create_index("ix_snapshots_endpoint_id", "snapshots", ["endpoint_id", "number"])
    op.create_table(
        "snapshot_pieces",
        sa.Column("snapshot_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("encoding", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("number >= 0", name=op.f("ck_snapshot_pieces_number")),
        sa.CheckConstraint("octet_length(body) BETWEEN 1 AND 1048576", name=op.f("ck_snapshot_pieces_body")),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["snapshots.id"], name=op.f("fk_snapshot_pieces_snapshot_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "encoding", "number", name=op.f("pk_snapshot_pieces")),
    )
    # The pieces are compressed already: Postgres need not try again.
    op.execute("ALTER TABLE snapshot_pieces ALTER COLUMN body SET STORAGE EXTERNAL")
    op.execute(f"INSERT INTO job_slots (slot) SELECT generate_series(1, {_SLOTS})")
    for grant in _GRANTS:
        op.execute(grant)


def downgrade() -> None:
    """Take back."""
    op.drop_table("snapshot_pieces")
    op.drop_table("snapshots")
    op.drop_table("job_slots")
    op.drop_table("job_runs")
    op.drop_table("schedules")
