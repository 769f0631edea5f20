"""Result columns: how Oracle describes them and how batches of engine values become wire bytes.

The engine is asked for cheap shapes (numbers as text, times as datetime), a batch is encoded column by
column, and equal values are encoded once per batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from qg_standin import values
from qg_standin.oracle_numbers import encode_number, scaled_encoder
from qg_standin.values import NULL
from qg_standin.wire import bytes1

VARCHAR_BYTES_MAX = 4000
_MEMO_ENTRIES_MAX = 20_000
_MEMO_ENTRIES_MIN = 500
UNCONSTRAINED_SCALE = -127


class Kind(Enum):
    NUMBER = values.NUMBER
    BINARY_DOUBLE = values.BINARY_DOUBLE
    BINARY_FLOAT = values.BINARY_FLOAT
    VARCHAR = values.VARCHAR
    CHAR = values.CHAR
    CLOB = values.CLOB
    BLOB = values.BLOB
    RAW = values.RAW
    DATE = values.DATE
    TIMESTAMP = values.TIMESTAMP
    TIMESTAMP_TZ = values.TIMESTAMP_TZ
    TIMESTAMP_LTZ = values.TIMESTAMP_LTZ
    INTERVAL = values.INTERVAL_DS


_TEXT_KINDS = frozenset({Kind.VARCHAR, Kind.CHAR, Kind.CLOB})
LOB_KINDS = frozenset({Kind.CLOB, Kind.BLOB})
_FIXED_SIZES = {
    Kind.NUMBER: 22, Kind.BINARY_DOUBLE: 8, Kind.BINARY_FLOAT: 4, Kind.CLOB: 4000, Kind.BLOB: 4000,
    Kind.DATE: 7, Kind.TIMESTAMP: 11, Kind.TIMESTAMP_TZ: 13, Kind.TIMESTAMP_LTZ: 11, Kind.INTERVAL: 11,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OracleType:
    """A declared type; `size` counts characters for text and bytes for RAW."""

    kind: Kind
    precision: int = 0
    scale: int = 0
    size: int = 0


NUMBER_FREE = OracleType(Kind.NUMBER, 0, UNCONSTRAINED_SCALE)


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: OracleType
    nullable: bool = True
    integer_places: int | None = None
    """A NUMBER that the engine yields as an integer: value * 10**places."""

    @property
    def type_number(self) -> int:
        return self.type.kind.value

    @property
    def precision(self) -> int:
        return self.type.precision

    @property
    def scale(self) -> int:
        return self.type.scale

    @property
    def is_text(self) -> bool:
        return self.type.kind in _TEXT_KINDS

    @property
    def is_lob(self) -> bool:
        return self.type.kind in LOB_KINDS

    @property
    def size_chars(self) -> int:
        return self.type.size if self.type.kind in (Kind.VARCHAR, Kind.CHAR) else 0

    @property
    def size_bytes(self) -> int:
        if self.type.kind in (Kind.VARCHAR, Kind.CHAR):
            return min(self.type.size * 4, VARCHAR_BYTES_MAX) or VARCHAR_BYTES_MAX
        if self.type.kind is Kind.RAW:
            return self.type.size or 2000
        return _FIXED_SIZES[self.type.kind]


Encoded = Iterable[bytes]
ColumnEncoder = Callable[[Sequence[Any]], Encoded]


class _Memo(dict[Any, bytes]):
    """Encodes each distinct value once."""

    __slots__ = ("_encode",)

    def __init__(self, encode: Callable[..., bytes]) -> None:
        super().__init__()
        self._encode = encode
        self[None] = NULL

    def __missing__(self, value: object) -> bytes:
        encoded = self[value] = self._encode(value)
        return encoded


def _memoised(encode: Callable[..., bytes]) -> ColumnEncoder:
    """Remembers encoded values while they repeat; a column of distinct values is encoded straight."""
    memo = _Memo(encode)
    seen = 0
    repeats = True

    def encode_column(column: Sequence[Any]) -> Encoded:
        nonlocal seen, repeats
        if not repeats:
            return [NULL if value is None else encode(value) for value in column]
        encoded = list(map(memo.__getitem__, column))
        seen += len(encoded)
        if len(memo) > _MEMO_ENTRIES_MIN and (len(memo) * 2 > seen or len(memo) > _MEMO_ENTRIES_MAX):
            repeats = False
            memo.clear()
        return encoded

    return encode_column


def _raw(value: bytes) -> bytes:
    return bytes1(bytes(value))


def _long(value: str | bytes | None) -> bytes:
    """A LOB that the client chose to fetch as LONG: the value, a null indicator and a return code."""
    if value is None:
        return b"\x00\x81\x01\x00"
    return bytes1(value.encode() if isinstance(value, str) else value) + b"\x00\x00"


def _each(encode: Callable[..., bytes]) -> ColumnEncoder:
    def encode_column(column: Sequence[object]) -> Encoded:
        return [NULL if value is None else encode(value) for value in column]

    return encode_column


def _longs(column: Sequence[Any]) -> Encoded:
    return [_long(value) for value in column]


_SECOND_OF_DAY = [bytes((s // 3600 + 1, s // 60 % 60 + 1, s % 60 + 1)) for s in range(86_400)]
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()


def _day(days: int) -> bytes:
    return values.encode_date(dt.date.fromordinal(days + _EPOCH_ORDINAL))[:5]


def _dates() -> ColumnEncoder:
    """DATE from seconds since 1970: the day and the time of day are looked up separately."""
    memo = _Memo(_day)
    second_of_day = _SECOND_OF_DAY

    def encode_column(column: Sequence[Any]) -> Encoded:
        return [
            NULL if seconds is None else memo[seconds // 86_400] + second_of_day[seconds % 86_400] for seconds in column
        ]

    return encode_column


_SCALAR_ENCODERS: dict[Kind, Callable[[], ColumnEncoder]] = {
    Kind.NUMBER: lambda: _memoised(encode_number),
    Kind.BINARY_DOUBLE: lambda: _each(values.encode_double),
    Kind.BINARY_FLOAT: lambda: _each(values.encode_float),
    Kind.VARCHAR: lambda: _memoised(values.encode_text),
    Kind.CHAR: lambda: _memoised(values.encode_text),
    Kind.RAW: lambda: _each(_raw),
    Kind.DATE: _dates,
    Kind.TIMESTAMP: lambda: _each(values.encode_timestamp),
    Kind.TIMESTAMP_TZ: lambda: _each(values.encode_timestamp_tz),
    Kind.TIMESTAMP_LTZ: lambda: _each(values.encode_timestamp),
    Kind.INTERVAL: lambda: _each(values.encode_interval),
}


def encoder_for(column: Column, lob: Callable[[Kind, str | bytes], bytes] | None, fetch_type: int) -> ColumnEncoder:
    """The encoder of one result column.

    `fetch_type` is the client's define (LONG and LONG RAW: a LOB's value in line); `lob` makes a locator.
    """
    kind = column.type.kind
    if column.integer_places is not None:
        return _memoised(scaled_encoder(column.integer_places))
    if kind not in LOB_KINDS:
        return _SCALAR_ENCODERS[kind]()
    if fetch_type in (values.LONG, values.LONG_RAW):
        return _longs
    if fetch_type in (values.VARCHAR, values.RAW):
        return _each(lambda value: bytes1(value.encode() if isinstance(value, str) else value))
    if lob is None:
        raise ValueError("a LOB column needs a maker of locators")
    make = lob
    return _each(lambda value: make(kind, value))


# How the engine is asked for a column, so that its values are cheap to carry and to encode.
ENGINE_SHAPES = {
    Kind.NUMBER: "cast({0} as varchar)",
    Kind.BINARY_DOUBLE: "cast({0} as double)",
    Kind.BINARY_FLOAT: "cast({0} as float)",
    Kind.DATE: "cast(epoch(cast({0} as timestamp)) as bigint)",
    Kind.TIMESTAMP: "cast({0} as timestamp)",
    Kind.TIMESTAMP_LTZ: "cast({0} as timestamp)",
    Kind.VARCHAR: "cast({0} as varchar)",
    Kind.CHAR: "cast({0} as varchar)",
    Kind.CLOB: "cast({0} as varchar)",
}
