"""Failed sign-ins of the last minutes: what the limits per address and per (user, address) count."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Identity, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base


class SignInFailure(Base):
    """One failure. The user name is kept as a digest only: people type passwords into the wrong field."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index("ix_sign_in_failures_address_at", "address", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
    address: Mapped[str] = mapped_column(String(64))
    username_digest: Mapped[str] = mapped_column(String(64))
