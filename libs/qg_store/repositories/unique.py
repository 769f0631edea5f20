"""Saving rows whose names must be unique, with Postgres as the judge: two writers can't both win."""

from collections.abc import Mapping

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.errors import NameTaken
from qg_store.availability import sqlstate_of

_UNIQUE_VIOLATION = "23505"


def violated_constraint(error: IntegrityError) -> str | None:
    """The name of the unique constraint that was violated, null for any other violation."""
    cause = getattr(error.orig, "__cause__", None)
    if sqlstate_of(error) != _UNIQUE_VIOLATION:
        return None
    name = getattr(cause, "constraint_name", None)
    return str(name) if name else None


async def flush_unique(session: AsyncSession, details: Mapping[str, str]) -> None:
    """Send what is pending. Raises `NameTaken` with the detail of the constraint that was violated.

    `details` maps constraint names to sentences; any other violation is raised as it is.
    """
    try:
        await session.flush()
    except IntegrityError as error:
        detail = details.get(violated_constraint(error) or "")
        if detail is None:
            raise
        raise NameTaken(detail) from error
