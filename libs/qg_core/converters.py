"""Text of a consumer into the value of a declared type: what each type accepts, and within which bounds.

| type | accepts | value for the driver |
|---|---|---|
| string | any text of at most `max_length` characters; the empty one only with `allow_empty` | `str` |
| integer | `-?[0-9]{1,38}` | `int` |
| float | a finite decimal literal, exponent allowed, at most 64 characters | `float` |
| decimal | the same, at most 38 significant digits | `Decimal` |
| boolean | true, false, yes, no (any case), 1, 0 | `int` 1 or 0 |
| date | `YYYY-MM-DD` | `date` |
| datetime | `YYYY-MM-DD`, further `T` or a space, `HH:MM[:SS[.ffffff]]`, a zone | `datetime` without zone |

Numbers are zero or 1e-130 <= |x| < 1e126, the range of Oracle's NUMBER: the driver refuses the rest with errors of its
own. A datetime with a zone is converted to UTC, the zone that every session of the gateway is pinned to; one without
is taken as it stands. A fraction finer than microseconds is refused, since it would be cut silently.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

from qg_core.parameters import TEXT_LENGTH_MAX, Parameter, ParameterType

BindValue = str | int | float | Decimal | date | datetime
Converter = Callable[[str], BindValue]
"""Raises `ValueError` with a message that continues "<name> ..."."""

NUMBER_TEXT_MAX = 64
"""Longest text of a float or decimal, in characters."""
DIGITS_MAX = 38
"""Most significant digits of a decimal: NUMBER keeps no more."""

_INTEGER = re.compile(r"-?[0-9]{1,38}").fullmatch
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
).fullmatch
_BOOLEANS = {"true": 1, "false": 0, "1": 1, "0": 0, "yes": 1, "no": 0}
_DECIMAL_LIMIT = Decimal("1e126")
_DECIMAL_LEAST = Decimal("1e-130")


def string_of(max_length: int, *, allow_empty: bool) -> Converter:
    """A converter of text; lengths in characters. `max_length` <= 4,000 keeps a value far below the driver's 32,767
    bytes even when every character takes four."""

    def convert(text: str) -> str:
        if not text and not allow_empty:
            raise ValueError("must not be empty")
        if len(text) > max_length:
            raise ValueError(f"must be at most {max_length} characters long")
        if "\0" in text:
            raise ValueError("must not contain NUL")
        return text

    return convert


def to_integer(text: str) -> int:
    if not _INTEGER(text):
        raise ValueError("must be a whole number of at most 38 digits")
    return int(text)


def to_float(text: str) -> float:
    if len(text) > NUMBER_TEXT_MAX or not _NUMBER(text):
        raise ValueError("must be a finite number")
    value = float(text)
    if not math.isfinite(value) or abs(value) >= 1e126 or 0 < abs(value) < 1e-130:
        raise ValueError("is outside the range of numbers the database can hold")
    if value == 0 and any(digit in "123456789" for digit in text.lower().partition("e")[0]):
        # Too small even for a double: it must not become zero silently.
        raise ValueError("is outside the range of numbers the database can hold")
    return value or 0.0  # -0.0 is no NUMBER


def to_decimal(text: str) -> Decimal:
    if len(text) > NUMBER_TEXT_MAX or not _NUMBER(text):
        raise ValueError("must be a finite number")
    value = Decimal(text)
    if not value:
        return Decimal(0)
    if abs(value) >= _DECIMAL_LIMIT or abs(value) < _DECIMAL_LEAST:
        raise ValueError("is outside the range of numbers the database can hold")
    if len(value.as_tuple().digits) > DIGITS_MAX:
        raise ValueError(f"must have at most {DIGITS_MAX} digits")
    return value


def to_boolean(text: str) -> int:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise ValueError("must be true, false, 1, 0, yes or no")
    return value


def to_date(text: str) -> date:
    try:
        if _DATE(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("must be a date of the form YYYY-MM-DD")


def to_datetime(text: str) -> datetime:
    try:
        if _DATETIME(text):
            value = datetime.fromisoformat(text)
            return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time of the form YYYY-MM-DDTHH:MM:SS, with at most 6 digits of fraction and a zone")


_BY_TYPE: dict[ParameterType, Converter] = {
    ParameterType.INTEGER: to_integer,
    ParameterType.FLOAT: to_float,
    ParameterType.DECIMAL: to_decimal,
    ParameterType.BOOLEAN: to_boolean,
    ParameterType.DATE: to_date,
    ParameterType.DATETIME: to_datetime,
}


def base_converter(parameter: Parameter) -> Converter:
    """The converter of a parameter's type alone, without its further limits."""
    if parameter.type is ParameterType.STRING:
        max_length = min(max(parameter.max_length, 1), TEXT_LENGTH_MAX)
        return string_of(max_length, allow_empty=parameter.allow_empty)
    return _BY_TYPE[parameter.type]


def declared_text(value: str | int | float | bool) -> str:
    """The text a consumer would send for a value an admin declared. Raises `ValueError` when it can't be one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if value.bit_length() > 512:
            raise ValueError("is too large")
        return str(value)
    return repr(value)
