"""TNS packets: the framing below TTC messages.

The header is 8 bytes: length, type, flags, checksum. The length is 16 bits wide until ACCEPT was sent and
32 bits afterwards, and counts the header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qg_standin.profile import Profile
from qg_standin.wire import Malformed, Reader, u16, u32

CONNECT, ACCEPT, REFUSE, DATA, MARKER = 1, 2, 4, 6, 12
HEADER_BYTES = 8
DATA_FLAG_EOF = 0x0040
DATA_FLAG_END_OF_RESPONSE = 0x2000
PACKET_BYTES_MAX = 2 * 1024 * 1024
CONNECT_DATA_BYTES_MAX = 16 * 1024
SDU_BYTES_MIN, SDU_BYTES_MAX = 512, 65_535
_ACCEPT_BYTES = 45


@dataclass(frozen=True, slots=True)
class Packet:
    kind: int
    body: bytes
    full: bool
    """The packet is as long as the session's limit, so its message probably continues."""


class Framing:
    """Cuts the byte stream of one connection into packets."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.wide = False
        self.sdu = 8192

    def feed(self, chunk: bytes) -> None:
        self.buffer += chunk

    def next_packet(self) -> Packet | None:
        """The next whole packet or None; Malformed for a length no client sends."""
        buffer = self.buffer
        if len(buffer) < HEADER_BYTES:
            return None
        length = int.from_bytes(buffer[:4] if self.wide else buffer[:2], "big")
        if length < HEADER_BYTES or length > PACKET_BYTES_MAX:
            raise Malformed(f"a packet of {length} bytes")
        if len(buffer) < length:
            return None
        packet = Packet(buffer[4], bytes(buffer[HEADER_BYTES:length]), length >= self.sdu)
        del buffer[:length]
        return packet


def frame(kind: int, body: bytes, *, wide: bool) -> bytes:
    """One packet with its header."""
    length = HEADER_BYTES + len(body)
    head = u32(length) if wide else u16(length) + b"\x00\x00"
    return head + bytes((kind, 0, 0, 0)) + body


def frame_data(message: bytes, sdu: int, last_flags: int) -> bytes:
    """A TTC message in as many DATA packets as the session data unit demands."""
    room = sdu - HEADER_BYTES - 2
    length = len(message)
    if length <= room:
        return b"%b\x06\x00\x00\x00%b%b" % (u32(length + 10), u16(last_flags), message)
    full_head = u32(sdu) + b"\x06\x00\x00\x00\x00\x00"
    parts: list[bytes | memoryview] = []
    view = memoryview(message)
    start = 0
    while length - start > room:
        parts.append(full_head)
        parts.append(view[start : start + room])
        start += room
    parts.append(u32(length - start + 10) + b"\x06\x00\x00\x00" + u16(last_flags))
    parts.append(view[start:])
    return b"".join(parts)


MARKER_BREAK, MARKER_RESET, MARKER_INTERRUPT = 1, 2, 3


def marker(kind: int) -> bytes:
    return frame(MARKER, bytes((1, 0, kind)), wide=True)


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    version: int
    sdu: int
    connect_string: str | None
    """None: the string was too long for the packet and follows alone in a DATA packet."""


def parse_connect(body: bytes) -> ConnectRequest:
    """Read a CONNECT packet's body (everything behind the header)."""
    if len(body) < 50:
        raise Malformed("a CONNECT packet that is too short")
    reader = Reader(body)
    version = reader.u16be()
    reader.pos = 6
    sdu = reader.u16be()
    reader.pos = 16
    length, offset = reader.u16be(), reader.u16be() - HEADER_BYTES
    if len(body) >= 54:
        sdu = int.from_bytes(body[50:54], "big") or sdu
    if length > CONNECT_DATA_BYTES_MAX:
        raise Malformed("a connect string that is too long")
    connect_string = body[offset : offset + length] if 0 < offset < len(body) else b""
    if length == 0 or len(connect_string) < length:
        return ConnectRequest(version, sdu, None)
    return ConnectRequest(version, sdu, connect_string.decode(errors="replace"))


def accept(profile: Profile, sdu: int) -> bytes:
    """The ACCEPT packet; both sides use 32-bit lengths from here on."""
    body = b"".join(
        (
            u16(profile.tns_version),
            u16(0x0001),
            u16(sdu),
            u16(sdu),
            b"\x01\x00",
            u16(0),
            u16(_ACCEPT_BYTES),
            b"\x04\x04",  # native network encryption is off
            bytes(8),
            u32(sdu),
            u32(sdu),
            b"\x00",
            u32(profile.accept_flags),
        )
    )
    return frame(ACCEPT, body, wide=False)


def refuse(code: int) -> bytes:
    """The REFUSE packet for a listener error such as 12514."""
    text = f"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR={code})(ERROR_STACK=(ERROR=(CODE={code})(EMFI=4))))".encode()
    return frame(REFUSE, b"\x01\x00" + u16(len(text)) + text, wide=False)


_SERVICE = re.compile(r"\(\s*(SERVICE_NAME|SID)\s*=\s*([^()\s]+)\s*\)", re.IGNORECASE)


def service_of(connect_string: str) -> tuple[str, str] | None:
    """("SERVICE_NAME" or "SID", its value) from a connect string."""
    found = _SERVICE.search(connect_string)
    return (found[1].upper(), found[2]) if found else None
