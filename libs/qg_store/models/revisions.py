"""Revisions: one published state of the whole gateway each, with the signed bytes that lead to it."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, CreatedAt


class Revision(CreatedAt, Base):
    """One revision. `delta` is the signed delta from `previous`; `activated_at` when Redis first had it as head."""

    __tablename__ = "revisions"
    __table_args__ = (CheckConstraint("revision > previous AND previous >= 0", name="order"),)

    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    previous: Mapped[int] = mapped_column(BigInteger)
    delta: Mapped[bytes] = mapped_column(LargeBinary)
    actor: Mapped[str] = mapped_column(String(255))
    summary: Mapped[str] = mapped_column(Text)
    activated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RevisionChange(Base):
    """One subject's new digest in a revision, or its removal (`digest` null)."""

    __tablename__ = "revision_changes"
    __table_args__ = (Index("ix_revision_changes_subject", "kind", "subject_id", "revision"),)

    revision: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("revisions.revision"), primary_key=True, autoincrement=False
    )
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    subject_id: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[str | None] = mapped_column(String(64), ForeignKey("specs.digest"))


class StoredCheckpoint(CreatedAt, Base):
    """The signed full list of one revision."""

    __tablename__ = "checkpoints"

    revision: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("revisions.revision"), primary_key=True, autoincrement=False
    )
    body: Mapped[bytes] = mapped_column(LargeBinary)


class PublishState(Base):
    """A singleton, made by the migration: `head` is the newest revision taken, `activated` the newest one in Redis."""

    __tablename__ = "publish_state"
    __table_args__ = (
        CheckConstraint("singleton", name="singleton"),
        CheckConstraint("head >= activated AND activated >= 0", name="order"),
    )

    singleton: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default="true")
    head: Mapped[int] = mapped_column(BigInteger, server_default="0")
    activated: Mapped[int] = mapped_column(BigInteger, server_default="0")
