"""The one row that says which gateway this database belongs to."""

from sqlalchemy import Boolean, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base, CreatedAt


class Gateway(CreatedAt, Base):
    """A singleton. `admin_seed` is the digest of the seeded admin last taken from the environment."""

    __tablename__ = "gateway"
    __table_args__ = (
        CheckConstraint("singleton", name="singleton"),
        CheckConstraint("gateway_id ~ '^[a-z0-9-]{3,64}$'", name="gateway_id"),
    )

    singleton: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default="true")
    gateway_id: Mapped[str] = mapped_column(String(64))
    admin_seed: Mapped[str | None] = mapped_column(String(64))
