"""Settings that admins store; one that is stored wins over the environment."""

from datetime import datetime

from sqlalchemy import DateTime, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from qg_store.models.base import Base

SettingValue = str | int | list[str]
"""What a setting can be, as it is in JSON."""


class StoredSetting(Base):
    """One stored setting; the known keys and their ranges are the control plane's."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[SettingValue] = mapped_column(JSONB(none_as_null=True))
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.clock_timestamp()
    )
    updated_by: Mapped[str] = mapped_column(String(255))
