"""Connections: where, and as which user, to reach an Oracle database."""

from sqlalchemy import Boolean, CheckConstraint, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qg_core.specs import Address
from qg_store.models.base import Base, RowId, StructJson, Timestamps


class Connection(Timestamps, Base):
    """One connection. `sealed` opens, as row `connection:<id>`, to `ConnectionSecret`.

    `from_dsn` only says how an admin wrote it; `addresses` and the fields beside it hold in either case.
    """

    __tablename__ = "connections"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("length(name) BETWEEN 1 AND 255", name="name"),
        CheckConstraint("length(description) <= 1000", name="description"),
        CheckConstraint("jsonb_typeof(addresses) = 'array' AND jsonb_array_length(addresses) >= 1", name="addresses"),
        CheckConstraint("num_nonnulls(service_name, sid) = 1", name="one_target"),
        CheckConstraint("length(username) BETWEEN 1 AND 255", name="username"),
        CheckConstraint("pool_min BETWEEN 0 AND 100", name="pool_min"),
        CheckConstraint("pool_max BETWEEN 1 AND 100", name="pool_max"),
        CheckConstraint("pool_min <= pool_max", name="pool_bounds"),
        CheckConstraint("pool_timeout_s BETWEEN 1 AND 3600", name="pool_timeout_s"),
        CheckConstraint("query_timeout_s BETWEEN 1 AND 3600", name="query_timeout_s"),
    )

    id: Mapped[str] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(String(1000), server_default="", default="")
    from_dsn: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    addresses: Mapped[tuple[Address, ...]] = mapped_column(StructJson(tuple[Address, ...]))
    load_balance: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    failover: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
    service_name: Mapped[str | None] = mapped_column(String(255))
    sid: Mapped[str | None] = mapped_column(String(255))
    server_dn: Mapped[str | None] = mapped_column(String(1000))
    username: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[str] = mapped_column(Text)
    has_wallet: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    pool_min: Mapped[int] = mapped_column(Integer)
    pool_max: Mapped[int] = mapped_column(Integer)
    pool_timeout_s: Mapped[int] = mapped_column(Integer)
    query_timeout_s: Mapped[int] = mapped_column(Integer)
    allowed_functions: Mapped[tuple[str, ...]] = mapped_column(
        StructJson(tuple[str, ...]), server_default="[]", default=()
    )
    is_active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
