"""One request as the data plane sees it: read from the ASGI scope once, with its limits."""

import time
from collections.abc import Iterable

from data_plane.requests.asgi import Scope
from qg_core.errors import BodyTooLarge, HeadersTooLarge, TargetTooLong
from qg_core.request_ids import request_id_from

TARGET_BYTES_MAX = 8 * 1024
"""Path, question mark and query string."""
HEADERS_BYTES_MAX = 16 * 1024
"""All header lines as HTTP/1.1 writes them: name, colon, space, value, CR, LF."""

_LINE_OVERHEAD_BYTES = 4
_READ = frozenset(
    {
        b"x-request-id",
        b"x-qg-min-revision",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"content-length",
        b"transfer-encoding",
        b"origin",
        b"traceparent",
        b"access-control-request-method",
    }
)

Headers = list[tuple[bytes, bytes]]


class Request:
    """What came in. `fields` holds the headers the gateway itself reads (lower-case names; repeated ones joined).

    `started` is on `time.monotonic()`'s clock, in seconds.
    """

    __slots__ = (
        "fields",
        "headers",
        "headers_bytes",
        "method",
        "peer",
        "query_string",
        "raw_path",
        "request_id",
        "started",
    )

    def __init__(self, scope: Scope) -> None:
        self.started = time.monotonic()
        self.method: str = scope["method"]
        self.raw_path: bytes = scope["raw_path"]
        self.query_string: bytes = scope["query_string"]
        self.headers: Headers = scope["headers"]
        self.peer: str = scope["client"][0]
        self.fields, self.headers_bytes = _read(self.headers)
        self.request_id = request_id_from(self.fields.get(b"x-request-id"))

    def check_limits(self) -> None:
        """Raises `TargetTooLong`, `HeadersTooLarge`, and `BodyTooLarge` for any body at all."""
        if len(self.raw_path) + len(self.query_string) >= TARGET_BYTES_MAX:
            raise TargetTooLong(f"The request target is longer than {TARGET_BYTES_MAX} bytes.")
        if self.headers_bytes > HEADERS_BYTES_MAX:
            raise HeadersTooLarge(f"The request headers are larger than {HEADERS_BYTES_MAX} bytes.")
        fields = self.fields
        if b"transfer-encoding" in fields or fields.get(b"content-length", b"0").strip(b"0"):
            raise BodyTooLarge("A data request has no body.")


def _read(headers: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], int]:
    fields: dict[bytes, bytes] = {}
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + _LINE_OVERHEAD_BYTES
        if name in _READ:
            # Joined as RFC 9110 section 5.3 says: a second X-Forwarded-For line continues the first.
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields, size
