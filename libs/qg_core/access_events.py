"""Access events: what is kept of every data request, refused ones included.

A data plane writes them as lines, one JSON array each, under consecutive numbers of its log; a worker stores them as
rows. A number without an event is a lost one: it is counted as a gap.
"""

import re

import msgspec

LOG_ID_LENGTH = 32
LOG_ID = re.compile(r"[0-9a-f]{32}")
"""What names one log: 128 random bits in hex (`fullmatch`). A node that can't trust its counter begins a new log."""

SEQUENCE_MAX = 2**44 - 1
"""The largest number of an event: 10,000 requests a second for 55 years."""

LINE_BYTES_MAX = 8_192
"""No line is longer: every text in an event is cut (`PATH_LENGTH_MAX` and so on) before it is written."""

PATH_LENGTH_MAX = 512
METHOD_LENGTH_MAX = 16
PRINCIPAL_LENGTH_MAX = 300
REQUEST_ID_LENGTH_MAX = 64
REMOTE_IP_LENGTH_MAX = 64


class AccessEvent(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """One data request. Written as a JSON array in this order; new fields are only ever added at the end.

    `sequence` is the number within the log; `at` Unix seconds when the request was over; `principal`
    `<auth method type>:<consumer>`; `duration_ms` from its arrival; `bytes` of the body that was sent; `revision` null
    when no catalog was reached. `status` 499: nobody was left to answer. No query string, no header, no secret.
    """

    sequence: int
    at: float
    request_id: str
    endpoint_id: str | None
    path: str
    method: str
    principal: str | None
    auth_method_id: str | None
    credential_id: str | None
    remote_ip: str
    status: int
    duration_ms: float
    row_count: int | None
    bytes: int
    revision: int | None


class EventRefused(ValueError):
    """The line is no access event."""


_decoder = msgspec.json.Decoder(AccessEvent)


def decode_event(line: bytes) -> AccessEvent:
    """The event of one line. Raises `EventRefused`; the message holds nothing of the line.

    Ranges and lengths are not checked here: the reader decides what it can store.
    """
    if len(line) > LINE_BYTES_MAX:
        raise EventRefused(f"a line of {len(line)} bytes; at most {LINE_BYTES_MAX} are taken")
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventRefused(f"no access event: {type(error).__name__}") from None


def event_id(log_id: str, sequence: int) -> str:
    """What an event is called everywhere: unique, whoever stores it and however often it is sent."""
    return f"{log_id}.{sequence}"
