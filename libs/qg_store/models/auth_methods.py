"""Auth methods: how consumers prove themselves on an endpoint."""

from sqlalchemy import Boolean, CheckConstraint, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, RowId, Timestamps


class AuthMethod(Timestamps, Base):
    """One auth method. `sealed` opens, as row `auth_method:<id>`, to `AuthMethodSecret`; null for `basic`.

    Which of the other fields are set follows from `method_type`.
    """

    __tablename__ = "auth_methods"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("length(name) BETWEEN 1 AND 255", name="name"),
        CheckConstraint("length(description) <= 1000", name="description"),
        CheckConstraint("method_type IN ('bearer', 'basic', 'api_key')", name="method_type"),
        CheckConstraint("algorithm IN ('HS256', 'HS384', 'HS512')", name="algorithm"),
        CheckConstraint("expire_minutes BETWEEN 1 AND 525600", name="expire_minutes"),
        CheckConstraint("key_prefix ~ '^[A-Za-z0-9_.-]{0,32}$'", name="key_prefix"),
        CheckConstraint("(method_type = 'bearer') = (algorithm IS NOT NULL)", name="algorithm_of_bearer"),
        CheckConstraint("(method_type = 'bearer') = (expire_minutes IS NOT NULL)", name="expiry_of_bearer"),
        CheckConstraint("(method_type = 'basic') = (username IS NOT NULL)", name="username_of_basic"),
        CheckConstraint("(method_type = 'api_key') = (key_prefix IS NOT NULL)", name="prefix_of_api_key"),
        CheckConstraint("(method_type = 'basic') = (sealed IS NULL)", name="secret"),
    )

    id: Mapped[str] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(String(1000), server_default="", default="")
    method_type: Mapped[str] = mapped_column(String(16))
    algorithm: Mapped[str | None] = mapped_column(String(16))
    expire_minutes: Mapped[int | None] = mapped_column(Integer)
    username: Mapped[str | None] = mapped_column(String(255))
    key_prefix: Mapped[str | None] = mapped_column(String(32))
    sealed: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
