"""Universal integers, length-prefixed bytes and text as Oracle's TTC layer writes them.

A "universal" integer is one length byte (bit 0x80: negative) and that many big-endian bytes.
"""

from __future__ import annotations

from struct import Struct

CHUNK_BYTES = 32_767
SHORT_BYTES_MAX = 252
_U16 = Struct(">H")
_U32 = Struct(">I")


class NeedMore(Exception):
    """The message continues in a packet that has not arrived yet."""


class Malformed(Exception):
    """The peer sent what no client sends; the connection is aborted."""


class Reader:
    """Reads one message from the start of a buffer; raises NeedMore when the buffer ends too early."""

    __slots__ = ("buffer", "end", "pos")

    def __init__(self, buffer: bytes | bytearray, pos: int = 0) -> None:
        self.buffer = buffer
        self.pos = pos
        self.end = len(buffer)

    def u8(self) -> int:
        pos = self.pos
        if pos >= self.end:
            raise NeedMore
        self.pos = pos + 1
        return self.buffer[pos]

    def raw(self, length: int) -> bytes:
        start = self.pos
        stop = start + length
        if stop > self.end:
            raise NeedMore
        self.pos = stop
        return bytes(self.buffer[start:stop])

    def skip(self, length: int) -> None:
        self.pos += length
        if self.pos > self.end:
            raise NeedMore

    def u16be(self) -> int:
        return int.from_bytes(self.raw(2), "big")

    def ub(self, width: int = 4) -> int:
        """A universal integer of at most `width` bytes; Malformed if it claims more."""
        pos = self.pos
        if pos >= self.end:
            raise NeedMore
        length = self.buffer[pos]
        pos += 1
        if length == 0:
            self.pos = pos
            return 0
        negative = length & 0x80
        length &= 0x7F
        if length > width:
            raise Malformed(f"an integer of {length} bytes where at most {width} are possible")
        stop = pos + length
        if stop > self.end:
            raise NeedMore
        self.pos = stop
        value = self.buffer[pos] if length == 1 else int.from_bytes(self.buffer[pos:stop], "big")
        return -value if negative else value

    def bytes_(self) -> bytes | None:
        """A value with a one-byte length, chunked when that byte is 254; None for NULL."""
        length = self.u8()
        if length == 0 or length == 255:
            return None
        if length != 254:
            return self.raw(length)
        parts = []
        while chunk := self.ub(4):
            if chunk < 0:
                raise Malformed("a chunk of negative length")
            parts.append(self.raw(chunk))
        return b"".join(parts)

    def bytes2(self) -> bytes | None:
        """A universal length and, only if that is positive, a value."""
        return self.bytes_() if self.ub(4) > 0 else None


def _encode_ub(value: int) -> bytes:
    if value == 0:
        return b"\x00"
    magnitude = abs(value)
    body = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")
    return bytes((len(body) | (0x80 if value < 0 else 0),)) + body


_SMALL = tuple(_encode_ub(n) for n in range(4096))


def ub(value: int) -> bytes:
    """A universal integer."""
    if 0 <= value < 4096:
        return _SMALL[value]
    return _encode_ub(value)


def u16(value: int) -> bytes:
    return _U16.pack(value)


def u32(value: int) -> bytes:
    return _U32.pack(value)


def bytes1(value: bytes | None) -> bytes:
    """A value with a one-byte length; longer than 252 bytes it is written in chunks."""
    if not value:
        return b"\x00"
    length = len(value)
    if length <= SHORT_BYTES_MAX:
        return bytes((length,)) + value
    parts = [b"\xfe"]
    for start in range(0, length, CHUNK_BYTES):
        chunk = value[start : start + CHUNK_BYTES]
        parts.append(ub(len(chunk)))
        parts.append(chunk)
    parts.append(b"\x00")
    return b"".join(parts)


def bytes2(value: bytes | None) -> bytes:
    """A universal length and, only if that is positive, a value."""
    if not value:
        return b"\x00"
    return ub(len(value)) + bytes1(value)
