"""The access log: one row per data-plane request, and what workers know of the nodes that sent them."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, INT8MULTIRANGE
from sqlalchemy.dialects.postgresql.ranges import MultiRange
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, RowId

LOG_ID_CHARS_MAX = 64
EVENT_ID_CHARS_MAX = 96
REQUEST_ID_CHARS_MAX = 64
PATH_CHARS_MAX = 1_024
METHOD_CHARS_MAX = 32
PRINCIPAL_CHARS_MAX = 255
REMOTE_IP_CHARS_MAX = 64
NODE_CHARS_MAX = 255
DEAD_LETTER_BYTES_MAX = 8_192
DEAD_LETTER_DETAIL_CHARS_MAX = 500


class AccessEntry(Base):
    """One served or refused request. `event_id` is `<log id>.<sequence>`, `day` the UTC day of `at`.

    Partitioned by `day`; `access_log_default` takes the days that have no partition.
    """

    __tablename__ = "access_log"
    __table_args__ = (
        Index("ix_access_log_at", "at", "event_id"),
        Index("ix_access_log_endpoint_id", "endpoint_id", "at"),
        Index("ix_access_log_principal", "principal", "at"),
        Index("ix_access_log_request_id", "request_id"),
        Index("ix_access_log_status", "status", "at"),
        # Of its hash: a path may be larger than what an index can hold.
        Index("ix_access_log_path_hash", text("hashtextextended(path, 0)"), "at"),
        CheckConstraint("day = (at AT TIME ZONE 'UTC')::date", name="day"),
        {"postgresql_partition_by": "RANGE (day)"},
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    event_id: Mapped[str] = mapped_column(String(EVENT_ID_CHARS_MAX), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    request_id: Mapped[str] = mapped_column(String(REQUEST_ID_CHARS_MAX))
    endpoint_id: Mapped[str | None] = mapped_column(RowId)
    path: Mapped[str] = mapped_column(String(PATH_CHARS_MAX))
    method: Mapped[str] = mapped_column(String(METHOD_CHARS_MAX))
    principal: Mapped[str | None] = mapped_column(String(PRINCIPAL_CHARS_MAX))
    auth_method_id: Mapped[str | None] = mapped_column(RowId)
    credential_id: Mapped[str | None] = mapped_column(RowId)
    remote_ip: Mapped[str | None] = mapped_column(String(REMOTE_IP_CHARS_MAX))
    status: Mapped[int] = mapped_column(Integer)
    duration_ms: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    row_count: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int | None] = mapped_column(BigInteger)
    node: Mapped[str] = mapped_column(String(NODE_CHARS_MAX))


class AccessSource(Base):
    """One node's log. `stored` holds the sequence numbers that are settled: in the access log, or given up as lost.

    `base` is the smallest number that the node can still send; `persisted` the largest one up to which all are settled;
    `lost` how many were below `base` without ever having come.
    """

    __tablename__ = "access_sources"
    __table_args__ = (
        CheckConstraint("base >= 1 AND persisted >= 0 AND lost >= 0", name="counts"),
        Index("ix_access_sources_last_seen", "last_seen"),
    )

    log_id: Mapped[str] = mapped_column(String(LOG_ID_CHARS_MAX), primary_key=True)
    node: Mapped[str] = mapped_column(String(NODE_CHARS_MAX))
    stored: Mapped[MultiRange[int]] = mapped_column(INT8MULTIRANGE, server_default="{}")
    base: Mapped[int] = mapped_column(BigInteger, server_default="1", default=1)
    persisted: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    lost: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    last_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AccessDeadLetter(Base):
    """A batch or an event that could not be stored, cut to a size; the sink caps how many there are."""

    __tablename__ = "access_dead_letters"
    __table_args__ = (
        CheckConstraint(f"octet_length(body) <= {DEAD_LETTER_BYTES_MAX}", name="body"),
        CheckConstraint(f"length(detail) <= {DEAD_LETTER_DETAIL_CHARS_MAX}", name="detail"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    log_id: Mapped[str | None] = mapped_column(String(LOG_ID_CHARS_MAX))
    reason: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text, server_default="", default="")
    body: Mapped[bytes] = mapped_column(LargeBinary)


class CredentialUse(Base):
    """When a credential was last used. No foreign key: workers don't see credentials."""

    __tablename__ = "credential_uses"

    credential_id: Mapped[str] = mapped_column(RowId, primary_key=True)
    last_used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
