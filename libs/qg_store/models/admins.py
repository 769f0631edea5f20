"""Admins: the humans who manage the gateway."""

from sqlalchemy import CheckConstraint, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, RowId, Timestamps


class Admin(Timestamps, Base):
    """One admin. `sealed` opens, as row `admin:<id>`, to a struct with the bcrypt hash.

    `token_version` is bound into the admin's tokens: raising it ends them all.
    """

    __tablename__ = "admins"
    __table_args__ = (
        UniqueConstraint("username"),
        CheckConstraint("length(username) BETWEEN 1 AND 255", name="username"),
        CheckConstraint("role IN ('viewer', 'editor', 'admin')", name="role"),
        CheckConstraint("token_version >= 1", name="token_version"),
    )

    id: Mapped[str] = mapped_column(RowId, primary_key=True)
    username: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    sealed: Mapped[str] = mapped_column(Text)
    token_version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)
