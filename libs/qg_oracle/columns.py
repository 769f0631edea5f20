"""Columns of a result: what each is, and how the driver is told to fetch it exactly and bounded.

The driver asks an output type handler about every column when a statement is described. The handlers here choose a
fetch form per column and note the column on the cursor (`DescribingCursor.described`), so that the shape of a result
is known without building the driver's `description` on every call. One handler per number style, module-wide: the
driver compares handlers by identity to decide whether a cached statement must be defined anew.
"""

import datetime
import enum
import inspect
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import oracledb

from qg_core.specs import NumberStyle

EXACT_FLOAT_DIGITS_MAX = 15
"""Every decimal of that many digits survives binary floating point and back."""

LOB_ROW_BYTES_GUESS = 65_536
"""Worth of one LOB column in a row, until rows have been seen."""

LOB_ROWS_FIRST = 8
"""Rows of the first batch of a statement with LOB columns."""


class ColumnKind(enum.StrEnum):
    """What a column's JSON values are."""

    NUMBER = "number"
    TEXT = "text"
    DATETIME = "datetime"
    BOOLEAN = "boolean"
    HEX = "hex"
    BASE64 = "base64"
    INTERVAL = "interval"
    JSON = "json"
    UNSUPPORTED = "unsupported"


class Column(msgspec.Struct, frozen=True):
    """One column as the database describes it; `bytes_max` is the most one value takes, as far as is known."""

    name: str
    kind: ColumnKind
    type_name: str
    nullable: bool = True
    bytes_max: int = 32
    is_lob: bool = False


class DescribingCursor(oracledb.AsyncCursor):
    """A cursor that keeps the columns its statement was described with, if it was described anew."""

    described: tuple[Column, ...] = ()

    if TYPE_CHECKING:  # the base is annotated for blocking connections

        def __init__(self, connection: oracledb.AsyncConnection) -> None: ...


Handler = Callable[[Any, oracledb.FetchInfo], Any]

_TEXT_TYPES = frozenset(
    {
        oracledb.DB_TYPE_VARCHAR,
        oracledb.DB_TYPE_CHAR,
        oracledb.DB_TYPE_NVARCHAR,
        oracledb.DB_TYPE_NCHAR,
        oracledb.DB_TYPE_ROWID,
        oracledb.DB_TYPE_UROWID,
    }
)
_LONG_FORM = {
    oracledb.DB_TYPE_CLOB: oracledb.DB_TYPE_LONG,
    oracledb.DB_TYPE_NCLOB: oracledb.DB_TYPE_LONG_NVARCHAR,
    oracledb.DB_TYPE_BLOB: oracledb.DB_TYPE_LONG_RAW,
}
_KINDS = {
    oracledb.DB_TYPE_NUMBER: ColumnKind.NUMBER,
    oracledb.DB_TYPE_BINARY_DOUBLE: ColumnKind.NUMBER,
    oracledb.DB_TYPE_BINARY_FLOAT: ColumnKind.NUMBER,
    oracledb.DB_TYPE_BINARY_INTEGER: ColumnKind.NUMBER,
    oracledb.DB_TYPE_DATE: ColumnKind.DATETIME,
    oracledb.DB_TYPE_TIMESTAMP: ColumnKind.DATETIME,
    oracledb.DB_TYPE_TIMESTAMP_TZ: ColumnKind.DATETIME,
    oracledb.DB_TYPE_TIMESTAMP_LTZ: ColumnKind.DATETIME,
    oracledb.DB_TYPE_BOOLEAN: ColumnKind.BOOLEAN,
    oracledb.DB_TYPE_RAW: ColumnKind.HEX,
    oracledb.DB_TYPE_LONG: ColumnKind.TEXT,
    oracledb.DB_TYPE_LONG_NVARCHAR: ColumnKind.TEXT,
    oracledb.DB_TYPE_LONG_RAW: ColumnKind.BASE64,
    oracledb.DB_TYPE_CLOB: ColumnKind.TEXT,
    oracledb.DB_TYPE_NCLOB: ColumnKind.TEXT,
    oracledb.DB_TYPE_BLOB: ColumnKind.BASE64,
    oracledb.DB_TYPE_XMLTYPE: ColumnKind.TEXT,
    oracledb.DB_TYPE_INTERVAL_DS: ColumnKind.INTERVAL,
    oracledb.DB_TYPE_INTERVAL_YM: ColumnKind.INTERVAL,
    oracledb.DB_TYPE_JSON: ColumnKind.JSON,
    oracledb.DB_TYPE_VECTOR: ColumnKind.JSON,
    **dict.fromkeys(_TEXT_TYPES, ColumnKind.TEXT),
}
_UNBOUNDED = frozenset(
    {
        *_LONG_FORM,
        oracledb.DB_TYPE_LONG,
        oracledb.DB_TYPE_LONG_NVARCHAR,
        oracledb.DB_TYPE_LONG_RAW,
        oracledb.DB_TYPE_XMLTYPE,
        oracledb.DB_TYPE_JSON,
        oracledb.DB_TYPE_VECTOR,
    }
)


def column_of(metadata: oracledb.FetchInfo) -> Column:
    """The column that the driver's metadata describes."""
    db_type = metadata.type_code
    kind = _KINDS.get(db_type, ColumnKind.UNSUPPORTED)
    is_lob = db_type in _UNBOUNDED
    if metadata.is_json or metadata.is_oson:
        kind = ColumnKind.JSON
    size = LOB_ROW_BYTES_GUESS if is_lob else max(32, metadata.internal_size or 0)
    return Column(metadata.name, kind, db_type.name.removeprefix("DB_TYPE_"), bool(metadata.null_ok), size, is_lob)


def handler_of(numbers: NumberStyle) -> Handler:
    """The one output type handler for a number style."""
    return _TEXT_NUMBERS if numbers is NumberStyle.STRING else _EXACT_NUMBERS


def _make_handler(wide_number: type) -> Handler:
    def handle(cursor: Any, metadata: oracledb.FetchInfo) -> Any:
        column = column_of(metadata)
        if isinstance(cursor, DescribingCursor):
            cursor.described += (column,)
        return _fetch_form(cursor, metadata, column, wide_number)

    # The driver inspects the handler's signature on every execute: 10 us without this.
    handle.__signature__ = inspect.signature(handle)  # type: ignore[attr-defined]  # functions take attributes
    return handle


def _fetch_form(cursor: Any, metadata: oracledb.FetchInfo, column: Column, wide_number: type) -> Any:
    db_type = metadata.type_code
    if db_type is oracledb.DB_TYPE_NUMBER:
        if not _is_wide(metadata.precision or 0, metadata.scale or 0):
            return None
        if wide_number is Decimal and metadata.scale == 0 and metadata.precision:
            return None  # the driver's int is exact
        return cursor.var(wide_number, arraysize=cursor.arraysize)
    if column.is_lob:
        # The describe is being read and rows with LOBs are requested after it: a batch of unknown weight stays small.
        cursor.prefetchrows = min(cursor.prefetchrows, LOB_ROWS_FIRST)
    if column.kind is ColumnKind.JSON:
        return _json_form(cursor, metadata)
    long_form = _LONG_FORM.get(db_type)
    if long_form is not None:
        return cursor.var(long_form, arraysize=cursor.arraysize)
    converter = _CONVERTERS.get(db_type)
    return None if converter is None else cursor.var(db_type, arraysize=cursor.arraysize, outconverter=converter)


def _json_form(cursor: Any, metadata: oracledb.FetchInfo) -> Any:
    db_type = metadata.type_code
    if db_type is oracledb.DB_TYPE_JSON or metadata.is_oson:
        return None  # the driver decodes Oracle's binary form
    if db_type is oracledb.DB_TYPE_VECTOR:
        return cursor.var(db_type, arraysize=cursor.arraysize, outconverter=_vector)
    return cursor.var(_LONG_FORM.get(db_type, db_type), arraysize=cursor.arraysize, outconverter=_json_text)


def _is_wide(precision: int, scale: int) -> bool:
    """Whether a NUMBER may hold more digits than a float keeps; FLOAT(p) has scale -127 and counts bits."""
    return not 1 <= precision <= EXACT_FLOAT_DIGITS_MAX or scale == -127


def _as_utc(value: datetime.datetime) -> datetime.datetime:
    """LTZ arrives in the session's zone, which is pinned to UTC."""
    return value.replace(tzinfo=datetime.UTC)


def _hex(value: bytes) -> str:
    return value.hex().upper()


def _year_to_month(value: oracledb.IntervalYM) -> str:
    sign = "-" if value.years < 0 or value.months < 0 else ""
    return f"{sign}P{abs(value.years)}Y{abs(value.months)}M"


def _day_to_second(value: datetime.timedelta) -> str:
    """ISO 8601 with days, hours, minutes and seconds; exact to the microsecond that the driver keeps."""
    sign = "-" if value < datetime.timedelta(0) else ""
    value = abs(value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    return f"{sign}P{value.days}DT{hours}H{minutes}M{seconds}{fraction}S"


def _single_precision(value: float) -> float:
    """The shortest decimal that is this BINARY_FLOAT: 0.1, not 0.10000000149011612."""
    if value != value or value in (float("inf"), float("-inf")):
        return value
    packed = struct.pack("f", value)
    for digits in (6, 7, 8):
        shorter = float(f"{value:.{digits}g}")
        if struct.pack("f", shorter) == packed:
            return shorter
    return value


_json_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)


def _json_text(value: str | bytes) -> Any:
    """A JSON document stored as text; Oracle's lax syntax that is no JSON stays a string."""
    try:
        return _json_decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _vector(value: Any) -> Any:
    return list(value)


_CONVERTERS: dict[oracledb.DbType, Callable[[Any], Any]] = {
    oracledb.DB_TYPE_TIMESTAMP_LTZ: _as_utc,
    oracledb.DB_TYPE_RAW: _hex,
    oracledb.DB_TYPE_INTERVAL_YM: _year_to_month,
    oracledb.DB_TYPE_INTERVAL_DS: _day_to_second,
    oracledb.DB_TYPE_BINARY_FLOAT: _single_precision,
}

_EXACT_NUMBERS = _make_handler(Decimal)
_TEXT_NUMBERS = _make_handler(str)
