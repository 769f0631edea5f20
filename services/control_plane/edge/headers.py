"""The headers that every answer carries, and those of pages of listed origins."""

Header = tuple[bytes, bytes]

_SECURITY: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_STRICT_TRANSPORT: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
# Answers hold definitions, keys and tokens: no cache keeps them.
_CACHING: tuple[Header, ...] = ((b"cache-control", b"no-store"), (b"vary", b"Authorization, Origin"))
_EXPOSED: Header = (b"access-control-expose-headers", b"X-Request-ID, X-QG-Revision, Retry-After")
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, X-Request-ID"),
    (b"access-control-max-age", b"600"),
)


class ResponseHeaders:
    """`cors_origins` are matched exactly; credentials mode stays off, since nothing here reads a cookie."""

    def __init__(self, *, security_headers: bool, cors_origins: tuple[str, ...]) -> None:
        self._always = (*_CACHING, *(_SECURITY if security_headers else ()))
        self._strict_transport = security_headers
        self._origins: frozenset[bytes] = frozenset()
        self.let_in(cors_origins)

    def let_in(self, cors_origins: tuple[str, ...]) -> None:
        """From now on pages of these origins, and of no others, may call."""
        self._origins = frozenset(origin.encode("latin-1") for origin in cors_origins)

    def of(self, request_id: str, origin: bytes | None, *, over_https: bool) -> list[Header]:
        """What is added to any answer."""
        found = [(b"x-request-id", request_id.encode("ascii")), *self._always]
        if over_https and self._strict_transport:
            found.append(_STRICT_TRANSPORT)
        if origin is not None and origin in self._origins:
            found += [(b"access-control-allow-origin", origin), _EXPOSED]
        return found

    def preflight(self, origin: bytes | None) -> tuple[Header, ...] | None:
        """The answer to a preflight of a listed origin, null for any other."""
        return _PREFLIGHT if origin is not None and origin in self._origins else None
