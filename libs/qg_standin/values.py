"""Single values between Python and Oracle's wire formats.

Encoders return the value with its length byte in front; decoders take the bytes behind the length.
"""

from __future__ import annotations

import datetime as dt
from decimal import Context, Decimal
from struct import Struct

from qg_standin.oracle_numbers import decode_number
from qg_standin.wire import SHORT_BYTES_MAX, Malformed, bytes1

VARCHAR, NUMBER, BINARY_INTEGER, LONG, DATE, RAW, LONG_RAW, CHAR = 1, 2, 3, 8, 12, 23, 24, 96
BINARY_FLOAT, BINARY_DOUBLE, CURSOR, CLOB, BLOB = 100, 101, 102, 112, 113
TIMESTAMP, TIMESTAMP_TZ, INTERVAL_DS, TIMESTAMP_LTZ, BOOLEAN = 180, 181, 183, 231, 252

NULL = b"\x00"
_U32 = Struct(">I")
_DOUBLE = Struct(">d")
_FLOAT = Struct(">f")
_LENGTHS = tuple(bytes((length,)) for length in range(SHORT_BYTES_MAX + 1))

_ENGINE_DIGITS = 38
_ENGINE_LIMIT = 10**_ENGINE_DIGITS
_ENGINE_CONTEXT = Context(prec=_ENGINE_DIGITS)

BindValue = str | int | Decimal | float | bool | bytes | dt.datetime | dt.timedelta | None


def encode_date(value: dt.date) -> bytes:
    hour = minute = second = 0
    if isinstance(value, dt.datetime):
        hour, minute, second = value.hour, value.minute, value.second
    year = value.year
    return bytes((7, year // 100 + 100, year % 100 + 100, value.month, value.day, hour + 1, minute + 1, second + 1))


def encode_timestamp(value: dt.datetime) -> bytes:
    return b"\x0b" + encode_date(value)[1:] + _U32.pack(value.microsecond * 1000)


def encode_timestamp_tz(value: dt.datetime) -> bytes:
    """The instant in UTC; the engine keeps no zone of its own."""
    utc = value.astimezone(dt.UTC) if value.tzinfo else value
    return b"\x0d" + encode_timestamp(utc)[1:] + b"\x14\x3c"


def decode_datetime(raw: bytes) -> dt.datetime:
    """DATE (7 bytes), TIMESTAMP (7 or 11) or TIMESTAMP WITH TIME ZONE (13, aware)."""
    if len(raw) not in (7, 11, 13):
        raise Malformed(f"a date of {len(raw)} bytes")
    nanoseconds = _U32.unpack(raw[7:11])[0] if len(raw) >= 11 else 0
    year = (raw[0] - 100) * 100 + raw[1] - 100
    try:
        return dt.datetime(
            year, raw[2], raw[3], raw[4] - 1, raw[5] - 1, raw[6] - 1, nanoseconds // 1000,
            tzinfo=dt.UTC if len(raw) == 13 else None,
        )  # fmt: skip
    except ValueError as error:
        raise Malformed(f"not a date: {error}") from None


def encode_interval(value: dt.timedelta) -> bytes:
    """INTERVAL DAY TO SECOND; every field carries the sign."""
    sign = -1 if value < dt.timedelta() else 1
    rest = abs(value)
    hours, seconds = divmod(rest.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return b"".join(
        (
            b"\x0b",
            _U32.pack(sign * rest.days + 0x80000000),
            bytes((sign * hours + 60, sign * minutes + 60, sign * seconds + 60)),
            _U32.pack(sign * rest.microseconds * 1000 + 0x80000000),
        )
    )


def decode_interval(raw: bytes) -> dt.timedelta:
    if len(raw) != 11:
        raise Malformed("an interval of the wrong length")
    return dt.timedelta(
        days=_U32.unpack(raw[:4])[0] - 0x80000000,
        hours=raw[4] - 60,
        minutes=raw[5] - 60,
        seconds=raw[6] - 60,
        microseconds=(_U32.unpack(raw[7:])[0] - 0x80000000) // 1000,
    )


def _order_bytes(raw: bytes) -> bytes:
    if raw[0] & 0x80:
        return bytes(~byte & 0xFF for byte in raw)
    return bytes((raw[0] | 0x80,)) + raw[1:]


def encode_double(value: float) -> bytes:
    return b"\x08" + _order_bytes(_DOUBLE.pack(value))


def encode_float(value: float) -> bytes:
    return b"\x04" + _order_bytes(_FLOAT.pack(value))


def decode_double(raw: bytes) -> float:
    plain = bytes((raw[0] & 0x7F,)) + raw[1:] if raw[0] & 0x80 else bytes(~byte & 0xFF for byte in raw)
    if len(raw) == 8:
        return float(_DOUBLE.unpack(plain)[0])
    if len(raw) == 4:
        return float(_FLOAT.unpack(plain)[0])
    raise Malformed("a binary number of the wrong length")


def encode_text(value: str) -> bytes:
    """VARCHAR2, CHAR; the empty string is NULL."""
    raw = value.encode()
    length = len(raw)
    return _LENGTHS[length] + raw if length <= SHORT_BYTES_MAX else bytes1(raw)


def _for_engine(value: int | Decimal) -> int | Decimal | float:
    """The engine's decimals have 38 digits; what is larger or smaller becomes a double."""
    if isinstance(value, int):
        return value if abs(value) < _ENGINE_LIMIT else float(value)
    _, digits, exponent = value.as_tuple()
    if isinstance(exponent, int) and exponent >= -_ENGINE_DIGITS and abs(value) < _ENGINE_LIMIT:
        return value if len(digits) <= _ENGINE_DIGITS else _ENGINE_CONTEXT.plus(value)
    return float(value)


def decode_bind(type_number: int, charset_form: int, raw: bytes | None) -> BindValue:
    """A bind's raw bytes as the engine takes it; LOB locators are resolved by the session before."""
    if raw is None or raw == b"":
        return None
    if type_number in (NUMBER, BINARY_INTEGER):
        return _for_engine(decode_number(raw))
    if type_number in (VARCHAR, CHAR, LONG):
        return raw.decode("utf-16-be" if charset_form == 2 else "utf-8", errors="replace")
    if type_number in (DATE, TIMESTAMP, TIMESTAMP_TZ, TIMESTAMP_LTZ):
        return decode_datetime(raw)
    if type_number in (BINARY_DOUBLE, BINARY_FLOAT):
        return decode_double(raw)
    if type_number in (RAW, LONG_RAW):
        return raw
    if type_number == INTERVAL_DS:
        return decode_interval(raw)
    if type_number == BOOLEAN:
        return raw[-1] == 1
    raise Malformed(f"a bind of type {type_number}")
