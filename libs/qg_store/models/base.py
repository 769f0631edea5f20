"""What all tables share: naming of constraints, the kinds of columns, values of JSON columns as Structs."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import DateTime, Dialect, MetaData, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

RowId = Uuid(as_uuid=False)
"""Ids are UUIDs in Postgres and their canonical text in Python, as in specs and responses."""


class Base(DeclarativeBase):
    """All tables of the gateway."""

    metadata = MetaData(naming_convention=NAMING)
    # What Postgres fills in comes back with the statement: a later look would need the session, which is gone then.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012 - SQLAlchemy's declaration, not ours to annotate


class StructJson(TypeDecorator[Any]):
    """A JSONB column whose value in Python is of one msgspec type. Key order is not kept (JSONB keeps none)."""

    impl = JSONB
    cache_ok = True

    def __init__(self, value_type: Any) -> None:
        super().__init__(none_as_null=True)
        self.value_type = value_type

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else msgspec.to_builtins(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - as above
        return None if value is None else msgspec.convert(value, self.value_type)


class CreatedAt:
    """A row that knows when it was made."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Timestamps(CreatedAt):
    """A row that also knows when it was last saved."""

    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.clock_timestamp()
    )
