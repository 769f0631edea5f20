"""Data requests over HTTP: the answer, its headers, and everything that is refused before a database is asked."""

import time

import pytest

from qg_core.request_ids import request_id_from
from tests.integration.data_plane.conftest import CORS_ORIGIN, Credentials
from tests.integration.data_plane.node_process import NodeProcess


def test_an_answer(node: NodeProcess) -> None:
    answer = node.get("open?n=7")
    assert answer.status_code == 200
    body = answer.json()
    assert body["data"] == [{"N": 7, "LABEL": "x"}]
    assert body["meta"].pop("query_duration_ms") > 0
    assert body["meta"] == {
        "row_count": 1,
        "endpoint": "open",
        "version": "v1",
        "data_strategy": "live",
        "truncated": False,
    }
    headers = answer.headers
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(answer.content)
    assert headers["cache-control"] == "private, no-store"
    assert headers["vary"] == "Authorization, X-Api-Key, Accept-Encoding, Origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert int(headers["x-qg-revision"]) >= 1
    assert "deprecation" not in headers
    assert "strict-transport-security" not in headers
    assert "access-control-allow-origin" not in headers


def test_request_ids(node: NodeProcess) -> None:
    assert node.get("open?n=1", X_Request_ID="abc-1").headers["x-request-id"] == "abc-1"
    made = node.get("open?n=1", X_Request_ID="not one").headers["x-request-id"]
    assert made != "not one"
    assert request_id_from(made.encode()) == made
    refused = node.get("nothing-here", X_Request_ID="abc-2")
    assert refused.headers["x-request-id"] == refused.json()["request_id"] == "abc-2"


def test_head_does_everything_but_touch_the_database(node: NodeProcess) -> None:
    assert node.client.head("broken").status_code == 200
    assert node.client.head("open?n=x").status_code == 422
    assert node.client.head("with/key?n=1").status_code == 401
    assert node.client.head("with/key?n=1", headers={"X-Api-Key": Credentials.key}).status_code == 200
    answer = node.raw(
        b"HEAD /api/v1/data/open?n=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /api/v1/data/ HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 ") == 2  # no body came between


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "get"])
@pytest.mark.parametrize(
    "path", ["/api/v1/data/no/such", "/api/v1/data/", "/", "/api/v1/data/open/", "/api/v1/data/OPEN"]
)
def test_an_unknown_path_looks_the_same_whatever_the_method(node: NodeProcess, method: str, path: str) -> None:
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: same\r\nConnection: close\r\n\r\n".encode()
    expected = (
        f'{{"type":"urn:querygateway:error:endpoint_not_found","title":"Endpoint not found","status":404,'
        f'"detail":"No endpoint registered at {path}.","code":"endpoint_not_found","request_id":"same"}}'
    )
    head, _, body = node.raw(request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert f"content-length: {len(expected)}".encode() in head
    assert body.decode() == ("" if method == "HEAD" else expected)


@pytest.mark.parametrize("target", ["/api/v1/data/%6Fpen?n=1", "/api/v1/data//open?n=1", "/api/v1/data/./open?n=1"])
def test_paths_are_matched_as_sent(node: NodeProcess, target: str) -> None:
    assert node.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 404 "
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW", "OPTIONS"])
def test_a_wrong_method_on_an_endpoint(node: NodeProcess, method: str) -> None:
    answer = node.client.request(method, "open?n=1")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.json()["code"] == "method_not_allowed"


def test_cross_origin(node: NodeProcess) -> None:
    preflight = {"Origin": CORS_ORIGIN, "Access-Control-Request-Method": "GET"}
    answer = node.client.options("with/key", headers=preflight)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == CORS_ORIGIN
    assert "X-Api-Key" in answer.headers["access-control-allow-headers"]
    assert node.client.options("no/such", headers=preflight).status_code == 404
    assert node.client.options("with/key", headers={**preflight, "Origin": "https://evil.example"}).status_code == 405
    assert node.get("open?n=1", Origin=CORS_ORIGIN).headers["access-control-allow-origin"] == CORS_ORIGIN
    assert node.get("with/key?n=1", Origin=CORS_ORIGIN).headers["access-control-allow-origin"] == CORS_ORIGIN
    assert "access-control-allow-origin" not in node.get("open?n=1", Origin="https://evil.example").headers


def test_strict_transport_behind_a_trusted_proxy(node: NodeProcess) -> None:
    assert "strict-transport-security" in node.get("open?n=1", X_Forwarded_Proto="https").headers
    assert "strict-transport-security" not in node.get("open?n=1", X_Forwarded_Proto="http").headers


def test_limits_of_the_request(node: NodeProcess) -> None:
    long = node.get("open?n=" + "1" * 9_000)
    assert (long.status_code, long.json()["code"]) == (414, "target_too_long")
    large = node.get("open?n=1", X_Large="x" * 17_000)
    assert (large.status_code, large.json()["code"]) == (431, "headers_too_large")
    for extra in (b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"):
        answer = node.raw(b"GET /api/v1/data/open?n=1 HTTP/1.1\r\nHost: x\r\n" + extra)
        assert answer.startswith(b"HTTP/1.1 413 "), answer
    empty = node.raw(b"GET /api/v1/data/open?n=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert empty.startswith(b"HTTP/1.1 200 ")


def test_a_websocket_is_not_opened(node: NodeProcess) -> None:
    answer = node.raw(
        b"GET /api/v1/data/open?n=1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b"101 Switching" not in answer


def test_all_problems_of_the_parameters_at_once(node: NodeProcess) -> None:
    answer = node.get("open?n=1&n=2&m=3")
    assert answer.status_code == 422
    assert {problem["field"] for problem in answer.json()["errors"]} == {"n", "m"}


def test_a_deprecated_endpoint_says_so(node: NodeProcess) -> None:
    headers = node.get("old?n=1").headers
    assert (headers["deprecation"], headers["x-deprecation-note"]) == ("true", "Use open.")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("stored", 503, "snapshot_missing"),
        ("stored?n=1", 422, "invalid_input"),
        ("unconnected?n=1", 503, "connection_unavailable"),
        ("unreachable?n=1", 503, "database_unreachable"),
        ("broken", 500, "query_failed"),
        ("twice", 500, "duplicate_columns"),
        ("closed?n=1", 401, "credential_missing"),
        ("lost-method?n=1", 401, "credential_missing"),
    ],
)
def test_what_can_not_be_served(node: NodeProcess, path: str, status: int, code: str) -> None:
    answer = node.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    for secret in ("ORA-", "no_such_table", "select", "127.0.0.1"):
        assert secret not in answer.text


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "1, 2", "9" * 30, "100000"])
def test_a_revision_that_can_not_be_reached_is_refused_at_once(node: NodeProcess, value: str) -> None:
    started = time.monotonic()
    answer = node.get("open?n=1", X_QG_Min_Revision=value)
    assert (answer.status_code, answer.json()["code"]) == (503, "revision_not_reached")
    assert time.monotonic() - started < 1


def test_a_revision_that_is_served(node: NodeProcess) -> None:
    assert node.get("open?n=1", X_QG_Min_Revision="1").status_code == 200
