"""The declaration of one bind of an endpoint's statement, as admins save it and as specs carry it."""

import enum

import msgspec

TEXT_LENGTH_MAX = 4_000
"""Default and upper bound of `max_length`, in characters."""


class ParameterType(enum.StrEnum):
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One declared bind.

    `default`, `minimum`, `maximum` and `enum` hold the value's JSON form (numbers of `integer`/`float`, else text).
    """

    type: ParameterType
    required: bool = True
    default: str | int | float | bool | None = None
    description: str = ""
    max_length: int = TEXT_LENGTH_MAX
    minimum: str | int | float | None = None
    maximum: str | int | float | None = None
    enum: tuple[str | int | float, ...] | None = None
    pattern: str | None = None
    allow_empty: bool = False
