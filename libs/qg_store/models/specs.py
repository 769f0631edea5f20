"""Spec bytes as they were compiled, and which of them the head revision names."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, CreatedAt


class StoredSpec(CreatedAt, Base):
    """One immutable spec; `body` is its canonical bytes, `digest` their SHA-256 in hex."""

    __tablename__ = "specs"
    __table_args__ = (CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(Text)
    format: Mapped[int] = mapped_column(Integer)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class Published(Base):
    """One line of the head's manifest: which spec stands for a subject, and since which revision."""

    __tablename__ = "published"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    subject_id: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), ForeignKey("specs.digest"))
    revision: Mapped[int] = mapped_column(BigInteger)
