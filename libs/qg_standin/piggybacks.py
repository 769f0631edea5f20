"""What rides in front of a request: closed cursors, tags, freed locators, and what is read only to be skipped."""

from __future__ import annotations

from qg_standin import lob_requests
from qg_standin.requests import (
    APP_CONTEXT,
    CLOSE_CURSORS,
    CURRENT_SCHEMA,
    END_TO_END,
    LOB_OPERATION,
    SESSION_STATE,
    Request,
)
from qg_standin.wire import Malformed, Reader

_TAG_NAMES = ("client_identifier", "module", "action", None, None, "client_info", None, None, "dbop")


def read(code: int, reader: Reader, request: Request) -> None:
    """One piggyback, its header already read, into `request`."""
    if code == CLOSE_CURSORS:
        reader.u8()
        request.closed_cursors += [reader.ub() for _ in range(reader.ub())]
    elif code == END_TO_END:
        request.tags.update(_end_to_end(reader))
    elif code == CURRENT_SCHEMA:
        reader.u8()
        reader.bytes2()
    elif code == SESSION_STATE:
        reader.ub(8)
    elif code == LOB_OPERATION:
        request.freed_locators += lob_requests.parse_free(reader)
    elif code == APP_CONTEXT:
        _skip_app_context(reader)
    else:
        raise Malformed(f"piggyback {code}")


def _end_to_end(reader: Reader) -> dict[str, str]:
    """The tags that changed; "" clears one."""
    reader.skip(2)
    reader.ub()
    header = [(name, reader.u8(), reader.ub()) for name in _TAG_NAMES]
    tags: dict[str, str] = {}
    for name, changed, length in header:
        if name is None:
            continue
        if length > 0:
            # A tag in front that was set to "" left a zero byte; no value that is there begins with one.
            while reader.u8() == 0:
                continue
            reader.pos -= 1
            tags[name] = (reader.bytes_() or b"").decode(errors="replace")
        elif changed:
            tags[name] = ""
    return tags


def _skip_app_context(reader: Reader) -> None:
    reader.u8()
    reader.ub()
    reader.u8()
    count = reader.ub()
    reader.ub()
    reader.u8()
    reader.bytes_()
    for _ in range(count):
        reader.bytes2()
        reader.bytes2()
        reader.ub()
