"""What the control plane and its statement-checking processes say to each other: length-prefixed msgpack."""

from __future__ import annotations

import struct

import msgspec

from qg_core.sql_policy import SqlFacts, SqlProblem

MESSAGE_BYTES_MAX = 1024 * 1024
LENGTH = struct.Struct("!I")


class CheckRequest(msgspec.Struct, frozen=True, tag="check", forbid_unknown_fields=True):
    """One statement to check, with the functions its connection may call."""

    sql_text: str
    allowed_functions: tuple[str, ...]


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Sent once, when the parser is loaded and warm."""


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    facts: SqlFacts


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    problems: tuple[SqlProblem, ...]


Answer = Ready | Accepted | Refused


def frame(message: msgspec.Struct) -> bytes:
    """`message` as msgpack after its length in four bytes, big-endian."""
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body


def frame_length(header: bytes) -> int:
    """The length that `header` (four bytes) announces. Raises ValueError above MESSAGE_BYTES_MAX."""
    (length,) = LENGTH.unpack(header)
    if length > MESSAGE_BYTES_MAX:
        raise ValueError("the announced message is too long")
    return int(length)
