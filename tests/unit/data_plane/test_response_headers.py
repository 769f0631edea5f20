"""Headers that every answer carries."""

from data_plane.requests.response_headers import ResponseHeaders, error_headers
from qg_core.errors import CredentialMissing

ORIGIN = b"https://app.example.com"


def headers(**fields: bool) -> ResponseHeaders:
    return ResponseHeaders(security_headers=fields.get("security", True), cors_origins=(ORIGIN.decode(),))


def test_security_headers_as_the_contract_says() -> None:
    found = dict(headers().answer)
    assert found == {
        b"content-type": b"application/json",
        b"cache-control": b"private, no-store",
        b"vary": b"Authorization, X-Api-Key, Accept-Encoding, Origin",
        b"x-content-type-options": b"nosniff",
        b"x-frame-options": b"DENY",
        b"referrer-policy": b"no-referrer",
        b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    }
    assert dict(headers().problem) == {**found, b"content-type": b"application/problem+json"}
    assert b"x-frame-options" not in dict(headers(security=False).answer)


def test_a_node_that_is_going_closes_every_connection() -> None:
    found = headers()
    before = {name: list(getattr(found, name)) for name in ("answer", "problem", "bare", "not_modified", "stored")}
    found.close_connections()
    for name, fixed in before.items():
        assert list(getattr(found, name)) == [*fixed, (b"connection", b"close")]


def test_hsts_only_behind_https() -> None:
    assert headers().for_transport(b"https", from_proxy=True)
    assert not headers().for_transport(b"http", from_proxy=True)
    assert not headers().for_transport(b"https", from_proxy=False)
    assert not headers(security=False).for_transport(b"https", from_proxy=True)


def test_cors_for_listed_origins_alone() -> None:
    assert dict(headers().for_origin(ORIGIN))[b"access-control-allow-origin"] == ORIGIN
    assert headers().for_origin(b"https://evil.example.com") == ()
    assert headers().for_origin(None) == ()
    assert not headers().allows_origin(b"null")
    assert not ResponseHeaders(security_headers=True, cors_origins=()).cors


def test_headers_of_an_error() -> None:
    assert error_headers(CredentialMissing(challenge="Basic")) == [(b"www-authenticate", b"Basic")]
