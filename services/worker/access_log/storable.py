"""What Postgres can store: text without NUL and lone surrogates, whole numbers of 64 bits, times of the calendar."""

import math
import re
import uuid
from datetime import UTC, datetime

BIGINT_MAX = 2**63 - 1
INTEGER_MAX = 2**31 - 1
DURATION_MS_MAX = 1e12
AHEAD_MAX_S = 3_660 * 86_400.0
"""How far ahead of this worker's clock a node's may be: what is stored for the next century would never age."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class NotStorable(ValueError):
    """No honest value can be made of it; the message says of what, and repeats nothing of it."""


def text(value: str, length_max: int) -> str:
    """`value` cut to `length_max` characters, with what Postgres can't store replaced."""
    return _UNSTORABLE.sub(_REPLACEMENT, value[:length_max])


def text_or_null(value: str | None, length_max: int) -> str | None:
    """The same for a field that may be null."""
    return None if value is None else text(value, length_max)


def whole(value: int, number_max: int = BIGINT_MAX) -> int:
    """`value`, or the nearest number from 0 to `number_max`."""
    return min(max(value, 0), number_max)


def whole_or_null(value: int | None, number_max: int = BIGINT_MAX) -> int | None:
    """The same for a field that may be null."""
    return None if value is None else whole(value, number_max)


def duration_ms(value: float) -> float:
    """`value`, or the nearest duration from 0 to `DURATION_MS_MAX`; what is no number counts as 0."""
    return min(max(value, 0.0), DURATION_MS_MAX) if not math.isnan(value) else 0.0


def moment(epoch_s: float, now: datetime) -> datetime:
    """Unix seconds as a time in UTC. Raises `NotStorable` before 1970 and `AHEAD_MAX_S` after `now`."""
    if not 0.0 <= epoch_s < now.timestamp() + AHEAD_MAX_S:  # false for NaN, too
        raise NotStorable("its time is before 1970 or too far ahead")
    return datetime.fromtimestamp(epoch_s, UTC)


def row_id_or_null(value: str | None) -> str | None:
    """The canonical text of a UUID; null when it is none: that names no row that there ever was."""
    try:
        return None if value is None else str(uuid.UUID(value))
    except ValueError:
        return None
