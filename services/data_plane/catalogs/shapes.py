"""What is the same in every answer of one endpoint: its own headers and the JSON around the rows.

Compiled once per endpoint digest; a request only fills in the row count, the time and whether rows were cut.
"""

from urllib.parse import quote

import msgspec

from qg_core.specs import EndpointSpec

DATA_PREFIX = b"/api/v1/data/"
HEAD = b'{"data":['

_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class AnswerShape:
    """`headers` are the endpoint's own (deprecation); `tail` closes what `HEAD` opened."""

    __slots__ = ("_middle", "headers")

    def __init__(self, endpoint: EndpointSpec) -> None:
        self.headers: tuple[tuple[bytes, bytes], ...] = _deprecation_headers(endpoint)
        self._middle = (
            f',"endpoint":{_json(endpoint.path)},"version":{_json(endpoint.version)}'
            f',"data_strategy":{_json(endpoint.data_strategy.value)},"truncated":'
        )

    def tail(self, row_count: int, query_duration_ms: float, *, truncated: bool) -> bytes:
        """The end of a live answer, after the rows."""
        cut = "true" if truncated else "false"
        return (
            f'],"meta":{{"row_count":{row_count},"query_duration_ms":{query_duration_ms:.3f}{self._middle}{cut}}}}}'
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
