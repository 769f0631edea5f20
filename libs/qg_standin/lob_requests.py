"""Requests about LOBs: read, length and the like on a locator, and the piggyback that frees locators."""

from __future__ import annotations

from dataclasses import dataclass

from qg_standin.wire import Malformed, Reader

LENGTH, READ, TRIM, WRITE = 0x1, 0x2, 0x20, 0x40
CREATE_TEMPORARY, FREE_TEMPORARY, CHUNK_SIZE = 0x110, 0x111, 0x4000
OPEN, CLOSE, IS_OPEN = 0x8000, 0x10000, 0x11000
LOCATOR_BYTES = 40


@dataclass(frozen=True, slots=True)
class LobCall:
    operation: int
    locator: bytes
    offset: int
    destination_offset: int
    amount: int | None
    written: bytes | None


def parse_call(reader: Reader) -> LobCall:
    """The body of function 96 (function header already read)."""
    has_source = reader.u8()
    locator_length = reader.ub()
    reader.u8()
    reader.ub()
    reader.ub()
    reader.ub()
    reader.skip(3)
    operation = reader.ub()
    reader.skip(2)
    offset = reader.ub(8)
    destination_offset = reader.ub(8)
    has_amount = reader.u8()
    reader.skip(6)
    if not 0 <= locator_length <= 4 * LOCATOR_BYTES:
        raise Malformed("a locator that is too long")
    locator = reader.raw(locator_length) if has_source else b""
    written = None
    if operation == CREATE_TEMPORARY:
        reader.ub()
    elif operation == WRITE:
        if reader.u8() != 14:
            raise Malformed("a LOB write without its contents")
        written = reader.bytes_() or b""
    amount = reader.ub(8) if has_amount else None
    return LobCall(operation, locator, offset, destination_offset, amount, written)


def parse_free(reader: Reader) -> list[bytes]:
    """The body of piggyback 96: locators that the client does not need any more."""
    reader.u8()
    total = reader.ub()
    reader.u8()
    reader.ub()
    reader.ub()
    reader.ub()
    reader.skip(3)
    reader.ub()
    reader.u8()
    reader.ub()
    reader.ub(8)
    reader.ub(8)
    reader.skip(2)
    reader.ub()
    reader.u8()
    reader.ub()
    reader.u8()
    reader.ub()
    raw = reader.raw(total)
    return [raw[start : start + LOCATOR_BYTES] for start in range(0, len(raw), LOCATOR_BYTES)]
