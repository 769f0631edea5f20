"""Credentials: one secret of one consumer under one auth method, whatever its type."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, CreatedAt, RowId


class Credential(CreatedAt, Base):
    """One credential. `sealed` opens, as row `credential:<id>`, to `CredentialSecret`; null for bearer.

    A revoked row stays for the record, without its secret.
    """

    __tablename__ = "credentials"
    __table_args__ = (
        Index(
            "uq_credentials_live_consumer",
            "auth_method_id",
            "consumer",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        # The unique index above knows live rows only; deleting a method looks for all.
        Index("ix_credentials_auth_method_id", "auth_method_id"),
        CheckConstraint("length(consumer) BETWEEN 1 AND 255", name="consumer"),
        CheckConstraint("revoked_at IS NULL OR sealed IS NULL", name="revoked_has_no_secret"),
    )

    id: Mapped[str] = mapped_column(RowId, primary_key=True)
    auth_method_id: Mapped[str] = mapped_column(RowId, ForeignKey("auth_methods.id", ondelete="CASCADE"))
    consumer: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
