"""The first tables: definitions, what is published of them, the audit log; and who may do what with each.

Revision 0001, after an empty database.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from qg_store.migrations.roles import APP, WORKER

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_DEFINITIONS = "admins, connections, auth_methods, credentials, endpoints"

# No UPDATE or DELETE on the audit log for anybody but the owner; no definitions, admins or audit for workers.
_GRANTS = (
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON {_DEFINITIONS} TO {APP}",
    f"GRANT SELECT, INSERT, UPDATE (admin_seed) ON gateway TO {APP}",
    f"GRANT SELECT, INSERT ON audit_log TO {APP}",
    f"GRANT SELECT, INSERT, DELETE ON specs, checkpoints, sign_in_failures TO {APP}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON published TO {APP}",
    f"GRANT SELECT, INSERT, UPDATE (activated_at) ON revisions TO {APP}",
    f"GRANT SELECT, INSERT ON revision_changes TO {APP}",
    f"GRANT SELECT, UPDATE (head, activated) ON publish_state TO {APP}",
    f"GRANT SELECT ON alembic_version TO {APP}, {WORKER}",
    f"GRANT SELECT ON gateway, specs, published, revisions, revision_changes, checkpoints, publish_state TO {WORKER}",
    f"GRANT UPDATE (activated_at) ON revisions TO {WORKER}",
    f"GRANT UPDATE (activated) ON publish_state TO {WORKER}",
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "admins",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("token_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'editor', 'admin')", name=op.f("ck_admins_role")),
        sa.CheckConstraint("length(username) BETWEEN 1 AND 255", name=op.f("ck_admins_username")),
        sa.CheckConstraint("token_version >= 1", name=op.f("ck_admins_token_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admins")),
        sa.UniqueConstraint("username", name=op.f("uq_admins_username")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("actor_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject_kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("remote_ip", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at", "id"], unique=False)
    op.create_index("ix_audit_log_subject_id", "audit_log", ["subject_id", "id"], unique=False)
    op.create_table(
        "auth_methods",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("method_type", sa.String(length=16), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=True),
        sa.Column("expire_minutes", sa.Integer(), nullable=True),
        sa.Column("username", sa.String(length=255), nullable=True),
        sa.Column("key_prefix", sa.String(length=32), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(method_type = 'api_key') = (key_prefix IS NOT NULL)", name=op.f("ck_auth_methods_prefix_of_api_key")
        ),
        sa.CheckConstraint("(method_type = 'basic') = (sealed IS NULL)", name=op.f("ck_auth_methods_secret")),
        sa.CheckConstraint(
            "(method_type = 'basic') = (username IS NOT NULL)", name=op.f("ck_auth_methods_username_of_basic")
        ),
        sa.CheckConstraint(
            "(method_type = 'bearer') = (algorithm IS NOT NULL)", name=op.f("ck_auth_methods_algorithm_of_bearer")
        ),
        sa.CheckConstraint(
            "(method_type = 'bearer') = (expire_minutes IS NOT NULL)", name=op.f("ck_auth_methods_expiry_of_bearer")
        ),
        sa.CheckConstraint("algorithm IN ('HS256', 'HS384', 'HS512')", name=op.f("ck_auth_methods_algorithm")),
        sa.CheckConstraint("key_prefix ~ '^[A-Za-z0-9_.-]{0,32}$'", name=op.f("ck_auth_methods_key_prefix")),
        sa.CheckConstraint("method_type IN ('bearer', 'basic', 'api_key')", name=op.f("ck_auth_methods_method_type")),
        sa.CheckConstraint("expire_minutes BETWEEN 1 AND 525600", name=op.f("ck_auth_methods_expire_minutes")),
        sa.CheckConstraint("length(description) <= 1000", name=op.f("ck_auth_methods_description")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 255", name=op.f("ck_auth_methods_name")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_methods")),
        sa.UniqueConstraint("name", name=op.f("uq_auth_methods_name")),
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("from_dsn", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("addresses", JSONB(), nullable=False),
        sa.Column("load_balance", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("failover", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("service_name", sa.String(length=255), nullable=True),
        sa.Column("sid", sa.String(length=255), nullable=True),
        sa.Column("server_dn", sa.String(length=1000), nullable=True),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("has_wallet", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("pool_min", sa.Integer(), nullable=False),
        sa.Column("pool_max", sa.Integer(), nullable=False),
        sa.Column("pool_timeout_s", sa.Integer(), nullable=False),
        sa.Column("query_timeout_s", sa.Integer(), nullable=False),
        sa.Column("allowed_functions", JSONB(), server_default="[]", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "jsonb_typeof(addresses) = 'array' AND jsonb_array_length(addresses) >= 1",
            name=op.f("ck_connections_addresses"),
        ),
        sa.CheckConstraint("length(description) <= 1000", name=op.f("ck_connections_description")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 255", name=op.f("ck_connections_name")),
        sa.CheckConstraint("length(username) BETWEEN 1 AND 255", name=op.f("ck_connections_username")),
        sa.CheckConstraint("num_nonnulls(service_name, sid) = 1", name=op.f("ck_connections_one_target")),
        sa.CheckConstraint("pool_max BETWEEN 1 AND 100", name=op.f("ck_connections_pool_max")),
        sa.CheckConstraint("pool_min <= pool_max", name=op.f("ck_connections_pool_bounds")),
        sa.CheckConstraint("pool_min BETWEEN 0 AND 100", name=op.f("ck_connections_pool_min")),
        sa.CheckConstraint("pool_timeout_s BETWEEN 1 AND 3600", name=op.f("ck_connections_pool_timeout_s")),
        sa.CheckConstraint("query_timeout_s BETWEEN 1 AND 3600", name=op.f("ck_connections_query_timeout_s")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("name", name=op.f("uq_connections_name")),
    )
    op.create_table(
        "gateway",
        sa.Column("singleton", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("gateway_id", sa.String(length=64), nullable=False),
        sa.Column("admin_seed", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("gateway_id ~ '^[a-z0-9-]{3,64}$'", name=op.f("ck_gateway_gateway_id")),
        sa.CheckConstraint("singleton", name=op.f("ck_gateway_singleton")),
        sa.PrimaryKeyConstraint("singleton", name=op.f("pk_gateway")),
    )
    op.create_table(
        "publish_state",
        sa.Column("singleton", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("head", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("activated", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("head >= activated AND activated >= 0", name=op.f("ck_publish_state_order")),
        sa.CheckConstraint("singleton", name=op.f("ck_publish_state_singleton")),
        sa.PrimaryKeyConstraint("singleton", name=op.f("pk_publish_state")),
    )
    op.create_table(
        "revisions",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.BigInteger(), nullable=False),
        sa.Column("delta", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("revision > previous AND previous >= 0", name=op.f("ck_revisions_order")),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_revisions")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("username_digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failures")),
    )
    op.create_index("ix_sign_in_failures_address_at", "sign_in_failures", ["address", "at"], unique=False)
    op.create_index(op.f("ix_sign_in_failures_at"), "sign_in_failures", ["at"], unique=False)
    op.create_table(
        "specs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name=op.f("ck_specs_digest")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_specs")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["revision"], ["revisions.revision"], name=op.f("fk_checkpoints_revision")),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("auth_method_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("consumer", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("length(consumer) BETWEEN 1 AND 255", name=op.f("ck_credentials_consumer")),
        sa.CheckConstraint("revoked_at IS NULL OR sealed IS NULL", name=op.f("ck_credentials_revoked_has_no_secret")),
        sa.ForeignKeyConstraint(
            ["auth_method_id"], ["auth_methods.id"], name=op.f("fk_credentials_auth_method_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
    )
    op.create_index(
        "uq_credentials_live_consumer",
        "credentials",
        ["auth_method_id", "consumer"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "endpoints",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("path", sa.String(length=500), nullable=False),
        sa.Column("version", sa.String(length=32), server_default="v1", nullable=False),
        sa.Column("connection_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("auth_method_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("allow_unauthenticated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("sql_text", sa.Text(), nullable=False),
        sa.Column("param_schema", JSONB(), server_default="{}", nullable=False),
        sa.Column("column_map", JSONB(), server_default="{}", nullable=False),
        sa.Column("data_strategy", sa.String(length=16), server_default="live", nullable=False),
        sa.Column("numbers", sa.String(length=16), server_default="number", nullable=False),
        sa.Column("rows_max", sa.Integer(), nullable=False),
        sa.Column("bytes_max", sa.BigInteger(), nullable=False),
        sa.Column("timeout_ms", sa.Integer(), nullable=True),
        sa.Column("concurrency_max", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("is_deprecated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("deprecation_note", sa.String(length=1000), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("data_strategy IN ('live', 'snapshot')", name=op.f("ck_endpoints_data_strategy")),
        sa.CheckConstraint(
            "length(path) BETWEEN 1 AND 500 AND path ~ '^[a-z0-9][a-z0-9_/-]*$' AND path !~ '//' AND path !~ '/$'",
            name=op.f("ck_endpoints_path"),
        ),
        sa.CheckConstraint("numbers IN ('number', 'string')", name=op.f("ck_endpoints_numbers")),
        sa.CheckConstraint("bytes_max BETWEEN 1024 AND 10737418240", name=op.f("ck_endpoints_bytes_max")),
        sa.CheckConstraint("concurrency_max BETWEEN 1 AND 1000", name=op.f("ck_endpoints_concurrency_max")),
        sa.CheckConstraint("length(deprecation_note) <= 1000", name=op.f("ck_endpoints_deprecation_note")),
        sa.CheckConstraint("length(description) <= 1000", name=op.f("ck_endpoints_description")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 255", name=op.f("ck_endpoints_name")),
        sa.CheckConstraint("length(version) BETWEEN 1 AND 32", name=op.f("ck_endpoints_version")),
        sa.CheckConstraint("octet_length(sql_text) BETWEEN 1 AND 65536", name=op.f("ck_endpoints_sql_text")),
        sa.CheckConstraint("rows_max BETWEEN 1 AND 5000000", name=op.f("ck_endpoints_rows_max")),
        sa.CheckConstraint("timeout_ms BETWEEN 1 AND 3600000", name=op.f("ck_endpoints_timeout_ms")),
        sa.ForeignKeyConstraint(["auth_method_id"], ["auth_methods.id"], name=op.f("fk_endpoints_auth_method_id")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_endpoints_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoints")),
        sa.UniqueConstraint("name", name=op.f("uq_endpoints_name")),
        sa.UniqueConstraint("path", name=op.f("uq_endpoints_path")),
    )
    op.create_index(op.f("ix_endpoints_auth_method_id"), "endpoints", ["auth_method_id"], unique=False)
    op.create_index(op.f("ix_endpoints_connection_id"), "endpoints", ["connection_id"], unique=False)
    op.create_table(
        "published",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["specs.digest"], name=op.f("fk_published_digest")),
        sa.PrimaryKeyConstraint("kind", "subject_id", name=op.f("pk_published")),
    )
    op.create_table(
        "revision_changes",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["digest"], ["specs.digest"], name=op.f("fk_revision_changes_digest")),
        sa.ForeignKeyConstraint(["revision"], ["revisions.revision"], name=op.f("fk_revision_changes_revision")),
        sa.PrimaryKeyConstraint("revision", "kind", "subject_id", name=op.f("pk_revision_changes")),
    )
    op.create_index("ix_revision_changes_subject", "revision_changes", ["kind", "subject_id", "revision"], unique=False)
    op.execute("INSERT INTO publish_state DEFAULT VALUES")
    for grant in _GRANTS:
        op.execute(grant)


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_revision_changes_subject", table_name="revision_changes")
    op.drop_table("revision_changes")
    op.drop_table("published")
    op.drop_index(op.f("ix_endpoints_connection_id"), table_name="endpoints")
    op.drop_index(op.f("ix_endpoints_auth_method_id"), table_name="endpoints")
    op.drop_table("endpoints")
    op.drop_index(
        "uq_credentials_live_consumer", table_name="credentials", postgresql_where=sa.text("revoked_at IS NULL")
    )
    op.drop_table("credentials")
    op.drop_table("checkpoints")
    op.drop_table("specs")
    op.drop_index(op.f("ix_sign_in_failures_at"), table_name="sign_in_failures")
    op.drop_index("ix_sign_in_failures_address_at", table_name="sign_in_failures")
    op.drop_table("sign_in_failures")
    op.drop_table("revisions")
    op.drop_table("publish_state")
    op.drop_table("gateway")
    op.drop_table("connections")
    op.drop_table("auth_methods")
    op.drop_index("ix_audit_log_subject_id", table_name="audit_log")
    op.drop_index("ix_audit_log_at", table_name="audit_log")
    op.drop_table("audit_log")
    op.drop_table("admins")
