"""The server's TTC messages: endings, descriptions and what precedes rows."""

from __future__ import annotations

from functools import lru_cache

from qg_standin.columns import Column
from qg_standin.profile import CHARSET_UTF8
from qg_standin.wire import bytes1, bytes2, ub

ROW_HEADER = bytes.fromhex("060201010000000000")
"""One per response is enough; no bit vectors are sent."""

AFTER_EXECUTE = b"\x08" + ub(6) + bytes(6) + ub(0) + ub(0) + ub(0)
END_OF_RESPONSE = b"\x1d"
STATUS_IN_TRANSACTION = 0x2
NO_DATA_FOUND = 1403
BATCH_ERRORS = 24381


def status(call_status: int) -> bytes:
    return b"\x09" + ub(call_status) + b"\x00"


def batch_error_list(errors: list[tuple[int, int, str]]) -> bytes:
    """(offset, code, message) of each failed row of a batch."""
    if not errors:
        return bytes(3)
    codes = b"".join(ub(code) for _, code, _ in errors)
    offsets = b"".join(ub(offset) for offset, _, _ in errors)
    messages = b"".join(ub(len(text.encode())) + bytes1(text.encode()) + bytes(2) for _, _, text in errors)
    count = ub(len(errors)) + b"\x01"
    return count + codes + count + offsets + count + messages


def error(
    field_version: int,
    *,
    call_status: int = 0,
    number: int = 0,
    message: str = "",
    cursor_id: int = 0,
    position: int = 0,
    row_count: int = 0,
    batch: bytes = b"\x00\x00\x00",
) -> bytes:
    """ERROR, which is also the normal end of a call (number 0)."""
    return b"".join(
        (
            b"\x04",
            ub(call_status),
            b"\x00",
            ub(row_count & 0xFFFFFFFF),
            ub(number & 0xFFFF),
            b"\x00\x00",
            ub(cursor_id),
            ub(position),
            bytes(6),  # sql type, fatal, flags, cursor options, UPI, warnings
            bytes(5),  # rowid
            bytes(5),  # OS error, statement and call numbers, padding, success iterations
            b"\x00",
            batch,
            ub(number),
            ub(row_count),
            b"\x00\x00" if field_version >= 14 else b"",
            bytes1(message.encode()) if number else b"",
        )
    )


@lru_cache(maxsize=4096)
def query_end(
    field_version: int, call_status: int, cursor_id: int, row_count: int, *, is_last: bool, executed: bool
) -> bytes:
    """What follows the rows of a query: PARAMETER after an execute, then ERROR 0 or 1403."""
    ending = error(
        field_version,
        call_status=call_status,
        number=NO_DATA_FOUND if is_last else 0,
        message="ORA-01403: no data found" if is_last else "",
        cursor_id=cursor_id,
        row_count=row_count,
    )
    return AFTER_EXECUTE + ending if executed else ending


def describe(columns: tuple[Column, ...], field_version: int) -> bytes:
    """DESCRIBE; a column of size 0 would be read as "always NULL", so none is ever sent."""
    row_bytes = sum(column.size_bytes for column in columns)
    parts = [b"\x10\x00", ub(row_bytes), ub(len(columns))]
    if columns:
        parts.append(b"\x00")
    parts += [_describe_column(column, i, field_version) for i, column in enumerate(columns, 1)]
    parts.append(bytes(6))
    return b"".join(parts)


def _describe_column(column: Column, position: int, field_version: int) -> bytes:
    name = column.name.encode()
    return b"".join(
        (
            bytes((column.type_number, 0, column.precision, column.scale & 0xFF)),
            ub(max(column.size_bytes, 1)),
            b"\x00\x00",
            b"\x00\x00",
            ub(CHARSET_UTF8 if column.is_text else 0),
            b"\x01" if column.is_text else b"\x00",
            ub(column.size_chars),
            b"\x00" if field_version >= 8 else b"",
            bytes((1 if column.nullable else 0, len(name) & 0xFF)),
            bytes2(name),
            b"\x00\x00",
            ub(position),
            b"\x00",
            b"\x00\x00" if field_version >= 17 else b"",
            b"\x00" if field_version >= 20 else b"",
            b"\x00\x00\x00" if field_version >= 24 else b"",
        )
    )
