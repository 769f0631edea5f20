"""What is the same in every answer of one endpoint: its own headers and the JSON around the rows.

Compiled once per endpoint digest; a request only fills in the row count, the time or age and whether rows were cut.
"""

import datetime
import hashlib
from urllib.parse import quote

import msgspec

from qg_core.snapshots import TEXT_HEAD, SnapshotHeader
from qg_core.specs import EndpointSpec

DATA_PREFIX = b"/api/v1/data/"
HEAD = TEXT_HEAD

ETAG_PART_LENGTH = 16
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class AnswerShape:
    """`headers` are the endpoint's own (deprecation); `tail` and `stored_tail` close what `HEAD` opened."""

    __slots__ = ("_middle", "etag_part", "headers")

    def __init__(self, endpoint: EndpointSpec) -> None:
        self.headers: tuple[tuple[bytes, bytes], ...] = _deprecation_headers(endpoint)
        self._middle = (
            f',"endpoint":{_json(endpoint.path)},"version":{_json(endpoint.version)}'
            f',"data_strategy":{_json(endpoint.data_strategy.value)},"truncated":'
        )
        self.etag_part = hashlib.sha256(self._middle.encode()).hexdigest()[:ETAG_PART_LENGTH].encode()
        """What tells two shapes apart in the ETag of a snapshot: its rows are the same, its `meta` isn't."""

    def tail(self, row_count: int, query_duration_ms: float, *, truncated: bool) -> bytes:
        """The end of a live answer, after the rows."""
        cut = "true" if truncated else "false"
        return (
            f'],"meta":{{"row_count":{row_count},"query_duration_ms":{query_duration_ms:.3f}{self._middle}{cut}}}}}'
        ).encode()

    def stored_tail(self, header: SnapshotHeader, age_s: int) -> bytes:
        """The end of a snapshot's answer, after the rows."""
        created_at = datetime.datetime.fromtimestamp(header.created_at, datetime.UTC)
        text = created_at.replace(tzinfo=None).isoformat(timespec="milliseconds")
        cut = "true" if header.truncated else "false"
        return (
            f'],"meta":{{"row_count":{header.row_count},"snapshot_created_at":"{text}Z"'
            f',"snapshot_age_seconds":{age_s}{self._middle}{cut}}}}}'
        ).encode()


def compile_shape(endpoint: EndpointSpec) -> AnswerShape:
    """The shape of an endpoint."""
    return AnswerShape(endpoint)


def path_of(endpoint: EndpointSpec) -> bytes:
    """The raw path under which an endpoint answers."""
    return DATA_PREFIX + endpoint.path.encode("ascii")


def _deprecation_headers(endpoint: EndpointSpec) -> tuple[tuple[bytes, bytes], ...]:
    if not endpoint.is_deprecated:
        return ()
    headers: list[tuple[bytes, bytes]] = [(b"deprecation", b"true")]
    note = " ".join((endpoint.deprecation_note or "").split())
    if note:
        # A header holds printable ASCII only: the rest is percent-encoded UTF-8.
        headers.append((b"x-deprecation-note", quote(note, safe=_PRINTABLE).encode("ascii")))
    return tuple(headers)


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
