"""The headers that every answer of a node carries, and those of cross-origin callers."""

from qg_core.errors import GatewayError
from qg_core.problems import MEDIA_TYPE

Header = tuple[bytes, bytes]

SECURITY: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
STRICT_TRANSPORT: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_VARY: Header = (b"vary", b"Authorization, X-Api-Key, Accept-Encoding, Origin")
CACHING: tuple[Header, ...] = ((b"cache-control", b"private, no-store"), _VARY)
CACHING_STORED: tuple[Header, ...] = ((b"cache-control", b"private, no-cache"), _VARY)
"""Of snapshots: a client may keep them, and asks each time whether there is another one."""
CLOSE: Header = (b"connection", b"close")
JSON: Header = (b"content-type", b"application/json")
PROBLEM: Header = (b"content-type", MEDIA_TYPE.encode("ascii"))

PREFLIGHT_MAX_AGE_S = 600
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"Authorization, X-Api-Key, X-Request-ID, X-QG-Min-Revision"),
    (b"access-control-max-age", str(PREFLIGHT_MAX_AGE_S).encode()),
)
_EXPOSED: Header = (
    b"access-control-expose-headers",
    b"X-Request-ID, X-QG-Revision, Deprecation, X-Deprecation-Note, Retry-After, ETag",
)


class ResponseHeaders:
    """Precomputed lists; `answer` and `problem` differ in the media type alone."""

    def __init__(self, *, security_headers: bool, cors_origins: tuple[str, ...]) -> None:
        self._strict_transport = security_headers
        self._security = SECURITY if security_headers else ()
        self._compose(self._security)
        self._origins: frozenset[bytes] = frozenset()
        self.let_in(cors_origins)

    def close_connections(self) -> None:
        """From now on every answer ends its connection: the client's next request goes to another node."""
        self._compose((*self._security, CLOSE))

    def _compose(self, always: tuple[Header, ...]) -> None:
        common = (*CACHING, *always)
        self.answer: tuple[Header, ...] = (JSON, *common)
        self.problem: tuple[Header, ...] = (PROBLEM, *common)
        self.bare: tuple[Header, ...] = common
        self.not_modified: tuple[Header, ...] = (*CACHING_STORED, *always)
        self.stored: tuple[Header, ...] = (JSON, *self.not_modified)

    def let_in(self, cors_origins: tuple[str, ...]) -> None:
        """From now on pages of these origins, and of no others, may read answers."""
        self._origins = frozenset(origin.encode("latin-1") for origin in cors_origins)

    @property
    def cors(self) -> bool:
        return bool(self._origins)

    def allows_origin(self, origin: bytes | None) -> bool:
        return origin in self._origins

    def for_origin(self, origin: bytes | None) -> tuple[Header, ...]:
        """What lets a page of a listed origin read the answer; nothing for the others. Credentials mode stays off:
        consumers send a header of their own, never a cookie."""
        if origin is None or origin not in self._origins:
            return ()
        return ((b"access-control-allow-origin", origin), _EXPOSED)

    def for_preflight(self, origin: bytes) -> tuple[Header, ...]:
        """The answer to a preflight request of a listed origin."""
        return ((b"access-control-allow-origin", origin), *_PREFLIGHT)

    def for_transport(self, forwarded_proto: bytes | None, *, from_proxy: bool) -> tuple[Header, ...]:
        """HSTS, when a trusted proxy says that the caller came over HTTPS."""
        if self._strict_transport and from_proxy and forwarded_proto == b"https":
            return (STRICT_TRANSPORT,)
        return ()


def error_headers(error: GatewayError) -> list[Header]:
    """The headers an error brings along (`WWW-Authenticate`, `Allow`, `Retry-After`)."""
    return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in error.headers.items()]
