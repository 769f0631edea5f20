"""The access log in daily partitions, how far each node's log is stored, and the functions that workers may call.

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, INT8MULTIRANGE

from qg_store.migrations.roles import APP, WORKER

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Rows of the access log are added and never changed. What has aged goes through the functions below, not by DELETE.
_GRANTS = (
    f"GRANT SELECT ON access_log, access_sources, access_dead_letters TO {APP}",
    f"GRANT SELECT, INSERT ON access_log TO {WORKER}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON access_sources TO {WORKER}",
    f"GRANT SELECT, INSERT, DELETE ON access_dead_letters TO {WORKER}",
    f"GRANT SELECT, DELETE ON credential_uses TO {APP}",
    f"GRANT SELECT, INSERT, UPDATE ON credential_uses TO {WORKER}",
)

# They run as the owner of the tables. So: names are found in no schema that a caller can write to, the only input is a
# day, it is bounded, and what it names is a table of this one parent.
_FUNCTIONS = (
    """
CREATE FUNCTION public.qg_make_access_partition(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    today date := (pg_catalog.now() AT TIME ZONE 'UTC')::date;
    partition text := pg_catalog.format('access_log_%s', pg_catalog.to_char(wanted, 'YYYYMMDD'));
BEGIN
    IF wanted IS NULL OR wanted < today - 2 OR wanted > today + 7 THEN
        RAISE EXCEPTION 'a partition can be made for a day from two days ago to seven days ahead, not for %', wanted
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_catalog.pg_advisory_xact_lock(1902575620);
    IF pg_catalog.to_regclass(pg_catalog.format('public.%I', partition)) IS NOT NULL THEN
        RETURN true;
    END IF;
    -- Made apart and attached: that blocks neither readers nor writers of the other partitions.
    EXECUTE pg_catalog.format(
        'CREATE TABLE public.%I (LIKE public.access_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    EXECUTE pg_catalog.format(
        'ALTER TABLE public.access_log ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        partition, wanted, wanted + 1);
    RETURN true;
EXCEPTION WHEN check_violation THEN
    -- The default partition has rows of that day already: they, and those that follow, stay there.
    RETURN false;
END
$$
""",
    """
CREATE FUNCTION public.qg_drop_access_partition(aged date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    today date := (pg_catalog.now() AT TIME ZONE 'UTC')::date;
    partition text := pg_catalog.format('access_log_%s', pg_catalog.to_char(aged, 'YYYYMMDD'));
BEGIN
    IF aged IS NULL OR aged > today - 2 THEN
        RAISE EXCEPTION 'only a partition whose rows are all older than a day can be dropped, not that of %', aged
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_catalog.pg_advisory_xact_lock(1902575620);
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_inherits
        WHERE inhparent = 'public.access_log'::pg_catalog.regclass
          AND inhrelid = pg_catalog.to_regclass(pg_catalog.format('public.%I', partition))
    ) THEN
        RETURN false;
    END IF;
    EXECUTE pg_catalog.format('DROP TABLE public.%I', partition);
    RETURN true;
END
$$
""",
    """
CREATE FUNCTION public.qg_prune_access_default(before date, rows_max integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    today date := (pg_catalog.now() AT TIME ZONE 'UTC')::date;
    removed bigint;
BEGIN
    IF before IS NULL OR before > today - 1 THEN
        RAISE EXCEPTION 'only rows that are older than a day can be removed, not those before %', before
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    DELETE FROM public.access_log_default WHERE (day, event_id) IN (
        SELECT day, event_id FROM public.access_log_default WHERE day < before ORDER BY day, event_id
        LIMIT LEAST(GREATEST(rows_max, 0), 50000)
    );
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$
""",
)
_SIGNATURES = (
    "qg_make_access_partition(date)",
    "qg_drop_access_partition(date)",
    "qg_prune_access_default(date, integer)",
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "access_log",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("event_id", sa.String(length=96), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("principal", sa.String(length=255), nullable=True),
        sa.Column("auth_method_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("credential_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("remote_ip", sa.String(length=64), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("duration_ms", DOUBLE_PRECISION(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("node", sa.String(length=255), nullable=False),
        sa.CheckConstraint("day = (at AT TIME ZONE 'UTC')::date", name=op.f("ck_access_log_day")),
        sa.PrimaryKeyConstraint("day", "event_id", name=op.f("pk_access_log")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("ix_access_log_at", "access_log", ["at", "event_id"])
    op.create_index("ix_access_log_endpoint_id", "access_log", ["endpoint_id", "at"])
    op.create_index("ix_access_log_principal", "access_log", ["principal", "at"])
    op.create_index("ix_access_log_request_id", "access_log", ["request_id"])
    op.create_index("ix_access_log_status", "access_log", ["status", "at"])
    op.execute("CREATE TABLE access_log_default PARTITION OF access_log DEFAULT")
    op.create_table(
        "access_sources",
        sa.Column("log_id", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=255), nullable=False),
        sa.Column("stored", INT8MULTIRANGE(), server_default="{}", nullable=False),
        sa.Column("base", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("persisted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("base >= 1 AND persisted >= 0 AND lost >= 0", name=op.f("ck_access_sources_counts")),
        sa.PrimaryKeyConstraint("log_id", name=op.f("pk_access_sources")),
    )
    op.create_index("ix_access_sources_last_seen", "access_sources", ["last_seen"])
    op.create_table(
        "access_dead_letters",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("log_id", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(body) <= 8192", name=op.f("ck_access_dead_letters_body")),
        sa.CheckConstraint("length(detail) <= 500", name=op.f("ck_access_dead_letters_detail")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_dead_letters")),
    )
    op.create_table(
        "credential_uses",
        sa.Column("credential_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_credential_uses")),
    )
    for function in _FUNCTIONS:
        op.execute(function)
    for signature in _SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION public.{signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION public.{signature} TO {WORKER}")
    for grant in _GRANTS:
        op.execute(grant)


def downgrade() -> None:
    """Take back."""
    for signature in _SIGNATURES:
        op.execute(f"DROP FUNCTION public.{signature}")
    op.drop_table("credential_uses")
    op.drop_table("access_dead_letters")
    op.drop_table("access_sources")
    # Its partitions go with it.
    op.drop_table("access_log")
