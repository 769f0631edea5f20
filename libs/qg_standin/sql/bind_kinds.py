"""The Oracle type of a bind by its number on the wire."""

from __future__ import annotations

from qg_standin import values
from qg_standin.columns import NUMBER_FREE, UNCONSTRAINED_SCALE, Kind, OracleType
from qg_standin.oracle_numbers import is_short_integer
from qg_standin.sql.kinds import CLOB, DATE, INTERVAL, RAW, TEXT, TIMESTAMP, TIMESTAMP_TZ

_KINDS: dict[int, OracleType] = {
    values.NUMBER: NUMBER_FREE,
    values.BINARY_INTEGER: NUMBER_FREE,
    values.BINARY_DOUBLE: OracleType(Kind.BINARY_DOUBLE),
    values.BINARY_FLOAT: OracleType(Kind.BINARY_DOUBLE),
    values.VARCHAR: TEXT,
    values.CHAR: TEXT,
    values.LONG: CLOB,
    values.CLOB: CLOB,
    values.BLOB: OracleType(Kind.BLOB),
    values.RAW: RAW,
    values.LONG_RAW: OracleType(Kind.BLOB),
    values.DATE: DATE,
    values.TIMESTAMP: TIMESTAMP,
    values.TIMESTAMP_TZ: TIMESTAMP_TZ,
    values.TIMESTAMP_LTZ: TIMESTAMP_TZ,
    values.INTERVAL_DS: INTERVAL,
    values.BOOLEAN: OracleType(Kind.NUMBER, 1, 0),
}


NUMBER_WIDE = OracleType(Kind.NUMBER, 0, UNCONSTRAINED_SCALE, 38)
"""A number that is no integer of 64 bits: what the engine computes with it has no foreseeable type."""


def kind_of_bind(type_number: int, raw: bytes | None) -> OracleType | None:
    """The type of a bind by its number on the wire and its raw value; None for NULL."""
    if not raw:
        return None
    if type_number == values.NUMBER and not is_short_integer(raw):
        return NUMBER_WIDE
    return _KINDS.get(type_number)
