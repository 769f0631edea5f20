"""Protocol and data type negotiation: the first two TTC exchanges of a session."""

from __future__ import annotations

from dataclasses import dataclass

from qg_standin.profile import CHARSET_AL16UTF16, CHARSET_UTF8, Profile
from qg_standin.wire import Malformed, Reader, bytes1, u16

_TIME_ZONE = bytes.fromhex("800000003c3c3c80000000")
_DRIVER_NAME_BYTES_MAX = 256


@dataclass(frozen=True, slots=True)
class ClientTypes:
    """What the client's data types message told: its field version and what the reply must repeat."""

    field_version: int
    end_of_response: bool
    has_time_zone: bool
    has_time_zone_version: bool


def skip_protocol(reader: Reader) -> None:
    """Pass over the client's protocol message (message type already read)."""
    reader.skip(2)
    for _ in range(_DRIVER_NAME_BYTES_MAX):
        if reader.u8() == 0:
            return
    raise Malformed("a driver name without end")


def protocol_reply(profile: Profile) -> bytes:
    fdo = bytearray(13)
    fdo[9:11] = u16(CHARSET_AL16UTF16)
    return b"".join(
        (
            b"\x01\x06\x00",
            profile.banner.encode(),
            b"\x00",
            CHARSET_UTF8.to_bytes(2, "little"),
            b"\x01",
            b"\x00\x00",
            u16(len(fdo)),
            bytes(fdo),
            bytes1(profile.compile_caps()),
            bytes1(profile.runtime_caps()),
        )
    )


def parse_types(reader: Reader) -> ClientTypes:
    """Read the client's data types message (message type already read)."""
    reader.skip(5)
    compile_caps = reader.bytes_() or b""
    runtime_caps = reader.bytes_() or b""
    has_time_zone = len(runtime_caps) > 1 and bool(runtime_caps[1] & 1)
    has_time_zone_version = has_time_zone and len(compile_caps) > 37 and bool(compile_caps[37] & 2)
    if has_time_zone:
        reader.skip(11)
        if has_time_zone_version:
            reader.skip(4)
    while reader.u16be():
        if reader.u16be():
            reader.skip(4)
    if len(compile_caps) < 8:
        raise Malformed("capabilities that are too short")
    return ClientTypes(
        field_version=compile_caps[7],
        end_of_response=len(compile_caps) > 40 and bool(compile_caps[40] & 0x20),
        has_time_zone=has_time_zone,
        has_time_zone_version=has_time_zone_version,
    )


def types_reply(types: ClientTypes) -> bytes:
    """An empty list of conversions: every client accepts it."""
    zone = _TIME_ZONE if types.has_time_zone else b""
    version = bytes(4) if types.has_time_zone_version else b""
    return b"\x02" + zone + version + b"\x00\x00"
