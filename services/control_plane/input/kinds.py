"""Kinds of fields that several nouns share. Every string has a length limit."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from qg_core.errors import FieldProblem, InvalidInput

LINE_PATTERN = r"^[^\r\n\t]*[^\s][^\r\n\t]*(?![\s\S])"
"""One line that is not blank (`(?![\\s\\S])` is the very end, in Python's and JavaScript's syntax alike)."""

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=LINE_PATTERN, description="One line, not blank.")]
Description = Annotated[str, Meta(max_length=1_000)]
Line = Annotated[str, Meta(min_length=1, max_length=255, pattern=LINE_PATTERN)]
Moment = Annotated[datetime, Meta(tz=True)]
RowIdText = Annotated[str, Meta(min_length=1, max_length=64, extra_json_schema={"format": "uuid"})]


def row_id(text: str, field: str = "id") -> str:
    """A UUID in its canonical form. Raises `InvalidInput` naming `field`."""
    found = uuid_or_none(text)
    if found is None:
        raise InvalidInput([FieldProblem(field, "must be a UUID")])
    return found


def utc_moment(moment: datetime | None, field: str) -> datetime | None:
    """The moment in UTC. Raises `InvalidInput` naming `field` when the calendar has none there (year 0 or 10000)."""
    try:
        return moment.astimezone(UTC) if moment is not None else None
    except OverflowError:
        raise InvalidInput([FieldProblem(field, "must lie within the years 1 to 9999 in UTC")]) from None


def uuid_or_none(text: str) -> str | None:
    """The canonical form of a UUID in its dashed spelling, else None."""
    try:
        found = str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        return None
    # uuid.UUID also takes braces, urn: and stray dashes.
    return found if found == text.lower() else None


def new_id() -> str:
    """A new row id."""
    return str(uuid.uuid4())
