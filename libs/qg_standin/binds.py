"""Bind and define metadata, and the raw bind values of an execute request."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qg_standin.values import BLOB, BOOLEAN, CLOB, CURSOR
from qg_standin.wire import Malformed, Reader

VALUE_BYTES_MAX = 32_767
BINDS_MAX = 65_535
_ARRAY_FLAG = 0x40
_RETURNING_INTO = re.compile(r"\breturning\b.+?\binto\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class BindType:
    """What a client declares for one bind or define."""

    type_number: int
    size: int
    is_array: bool = False
    charset_form: int = 1

    @property
    def comes_last(self) -> bool:
        """Outside PL/SQL, values declared longer than a string may be are written after all others."""
        return self.size > VALUE_BYTES_MAX and self.type_number not in (CLOB, BLOB)


RawRow = tuple[bytes | None, ...]


def read_bind_types(reader: Reader, count: int, field_version: int) -> tuple[BindType, ...]:
    if count > BINDS_MAX:
        raise Malformed(f"{count} binds")
    return tuple(_read_bind_type(reader, field_version) for _ in range(count))


def _read_bind_type(reader: Reader, field_version: int) -> BindType:
    type_number = reader.u8()
    flag = reader.u8()
    reader.skip(2)
    size = reader.ub()
    reader.ub()
    reader.ub(8)
    if reader.ub():
        reader.bytes_()
    reader.ub()
    reader.ub()
    charset_form = reader.u8()
    reader.ub()
    if field_version >= 8:
        reader.ub()
    return BindType(type_number, size, bool(flag & _ARRAY_FLAG), charset_form)


def _read_value(reader: Reader, bind: BindType) -> bytes | None:
    if bind.type_number in (CLOB, BLOB):
        return reader.bytes2()
    if bind.type_number == CURSOR:
        if reader.u8() and (length := reader.u8()):
            reader.skip(length)
        return None
    if bind.type_number == BOOLEAN:
        length = reader.u8()
        return None if length in (0, 253, 255) else reader.raw(length)
    return reader.bytes_()


def _read_array(reader: Reader, bind: BindType) -> None:
    for _ in range(reader.ub()):
        _read_value(reader, bind)


def read_bind_row(reader: Reader, binds: tuple[BindType, ...], *, values: int, is_plsql: bool) -> RawRow:
    """One row of raw values; the binds from index `values` on are RETURNING binds, which carry none."""
    if reader.u8() != 7:
        raise Malformed("a bind row without its message type")
    row: list[bytes | None] = [None] * len(binds)
    late = []
    for index, bind in enumerate(binds[:values]):
        if bind.is_array:
            _read_array(reader, bind)
        elif bind.comes_last and not is_plsql:
            late.append(index)
        else:
            row[index] = _read_value(reader, bind)
    for index in late:
        row[index] = _read_value(reader, binds[index])
    return tuple(row)


def returning_values(sql: str, placeholders: list[int], bind_count: int) -> int:
    """How many of the binds carry values: those in front of RETURNING ... INTO.

    `placeholders` are the offsets of the placeholders in the text.
    """
    found = _RETURNING_INTO.search(sql)
    if found is None:
        return bind_count
    return sum(1 for offset in placeholders if offset < found.end())
