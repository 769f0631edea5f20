"""One request as the data plane sees it: read from the ASGI scope once, with its limits."""

import time

from data_plane.requests.asgi import Scope
from qg_core.errors import BodyTooLarge, HeadersTooLarge, TargetTooLong
from qg_core.header_fields import read_fields
from qg_core.request_ids import request_id_from

TARGET_BYTES_MAX = 8 * 1024
"""Path, question mark and query string."""
HEADERS_BYTES_MAX = 16 * 1024
"""All header lines as HTTP/1.1 writes them: name, colon, space, value, CR, LF."""


class Request:
    """What came in; the headers in `fields`.

    `started` is on `time.monotonic()`'s clock, in seconds.
    """

    __slots__ = (
        "fields",
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
        self.peer: str = scope["client"][0]
        self.fields = read_fields(scope["headers"])
        self.request_id = request_id_from(self.fields.get(b"x-request-id"))

    def check_limits(self) -> None:
        """Raises `TargetTooLong`, `HeadersTooLarge`, and `BodyTooLarge` for any body at all."""
        fields = self.fields
        if len(self.raw_path) + len(self.query_string) >= TARGET_BYTES_MAX:
            raise TargetTooLong(f"The request target is longer than {TARGET_BYTES_MAX} bytes.")
        if fields.size > HEADERS_BYTES_MAX:
            raise HeadersTooLarge(f"The request headers are larger than {HEADERS_BYTES_MAX} bytes.")
        length = fields.get(b"content-length")
        if b"transfer-encoding" in fields or (length is not None and length.strip(b"0")):
            raise BodyTooLarge("A data request has no body.")
