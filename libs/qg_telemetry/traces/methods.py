"""HTTP methods as traces name them. Callers may invent methods; names of spans are kept and counted by collectors."""

_KNOWN = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
_OTHER = "_OTHER"


def known_method(method: str) -> str:
    """The method, or `_OTHER` (OpenTelemetry's semantic conventions for HTTP)."""
    return method if method in _KNOWN else _OTHER


def request_name(method: str, route: str) -> str:
    """The name of a request's span: one of a bounded number. `route` is no word of the caller's."""
    known = known_method(method)
    return f"{'HTTP' if known == _OTHER else known} {route}"
