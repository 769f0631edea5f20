"""Endpoints: a stable identity, a path under /api/v1/data/, and the statement behind it."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qg_core.parameters import Parameter
from qg_store.models.base import Base, RowId, StructJson, Timestamps


class Endpoint(Timestamps, Base):
    """One endpoint. Without auth method and without `allow_unauthenticated` it answers 401 (a deleted method)."""

    __tablename__ = "endpoints"
    __table_args__ = (
        UniqueConstraint("name"),
        UniqueConstraint("path"),
        CheckConstraint("length(name) BETWEEN 1 AND 255", name="name"),
        CheckConstraint("length(description) <= 1000", name="description"),
        CheckConstraint(
            "length(path) BETWEEN 1 AND 500 AND path ~ '^[a-z0-9][a-z0-9_/-]*$' AND path !~ '//' AND path !~ '/$'",
            name="path",
        ),
        CheckConstraint("octet_length(sql_text) BETWEEN 1 AND 65536", name="sql_text"),
        CheckConstraint("data_strategy IN ('live', 'snapshot')", name="data_strategy"),
        CheckConstraint("numbers IN ('number', 'string')", name="numbers"),
        CheckConstraint("rows_max BETWEEN 1 AND 5000000", name="rows_max"),
        CheckConstraint("bytes_max BETWEEN 1024 AND 10737418240", name="bytes_max"),
        CheckConstraint("timeout_ms BETWEEN 1 AND 3600000", name="timeout_ms"),
        CheckConstraint("concurrency_max BETWEEN 1 AND 1000", name="concurrency_max"),
        CheckConstraint("length(deprecation_note) <= 1000", name="deprecation_note"),
        CheckConstraint("length(version) BETWEEN 1 AND 32", name="version"),
    )

    id: Mapped[str] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(String(1000), server_default="", default="")
    path: Mapped[str] = mapped_column(String(500))
    version: Mapped[str] = mapped_column(String(32), server_default="v1", default="v1")
    connection_id: Mapped[str] = mapped_column(RowId, ForeignKey("connections.id"), index=True)
    # No ON DELETE action: whoever deletes a method must detach (and publish) its endpoints first.
    auth_method_id: Mapped[str | None] = mapped_column(RowId, ForeignKey("auth_methods.id"), index=True)
    allow_unauthenticated: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    sql_text: Mapped[str] = mapped_column(Text)
    param_schema: Mapped[dict[str, Parameter]] = mapped_column(
        StructJson(dict[str, Parameter]), server_default="{}", default=dict
    )
    column_map: Mapped[dict[str, str]] = mapped_column(StructJson(dict[str, str]), server_default="{}", default=dict)
    data_strategy: Mapped[str] = mapped_column(String(16), server_default="live", default="live")
    numbers: Mapped[str] = mapped_column(String(16), server_default="number", default="number")
    rows_max: Mapped[int] = mapped_column(Integer)
    bytes_max: Mapped[int] = mapped_column(BigInteger)
    timeout_ms: Mapped[int | None] = mapped_column(Integer)
    concurrency_max: Mapped[int] = mapped_column(Integer)
    is_active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
    is_deprecated: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    deprecation_note: Mapped[str | None] = mapped_column(String(1000))
