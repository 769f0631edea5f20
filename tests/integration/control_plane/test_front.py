"""What every request meets first: limits, strict JSON, ids, headers, and errors that say nothing they shouldn't."""

import json

import httpx

from qg_devstack.databases import drop_database
from qg_devstack.servers import PostgresAddress
from qg_store import migrate
from tests.fixtures.postgres import StartPostgres
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import MakePlane, Plane, client_of, sign_in

URL = "/api/v1/admin/connections"
JSON = {"content-type": "application/json"}


async def test_bodies_that_are_no_json(admin: httpx.AsyncClient) -> None:
    deep = b'{"name":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    wrong = [
        b"", b"{", b"null", b"[]", b'"x"', b"\xff", b'{"name": "\xed\xa0\x80"}', b'{"name": "\\ud800"}', b"NaN",
        b'{"name": NaN}', b'{"port": 1e999}', b'{"port": ' + b"9" * 5_000 + b"}", b'{"name": "\\u0000"}', deep,
        b"[" * 100_000, b'{"\\u0000": 1}', b"{" + b'"a":{' * 4_000, b'{"name":"x"} trailing',
    ]  # fmt: skip
    for body in wrong:
        answer = await admin.post(URL, content=body, headers=JSON)
        assert answer.status_code == 422, (body[:40], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
        assert isinstance(problem["detail"], str)
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = await admin.post(URL, content=b'{"name": "x"}', headers={"content-type": media_type})
        assert answer.status_code == 422, media_type
        assert "application/json" in answer.json()["detail"]
    charset = await admin.post(URL, content=b"{}", headers={"content-type": "application/json; charset=utf-8"})
    assert "is required" in charset.json()["detail"]


async def test_bodies_are_bounded(admin: httpx.AsyncClient, plane: Plane) -> None:
    huge = b'{"name": "' + b"x" * 1_048_576 + b'"}'
    for client in (admin, plane.client):
        assert (await client.post("/api/v1/auth/login", content=huge, headers=JSON)).status_code == 413

    async def parts() -> object:
        for _ in range(40):
            yield b"x" * 65_536

    chunked = await admin.post(URL, content=parts(), headers=JSON)  # type: ignore[arg-type]  # an async generator
    assert chunked.status_code == 413
    assert chunked.json()["code"] == "body_too_large"
    odd = await admin.post(URL, content=b"{}", headers={**JSON, "content-length": "-1"})
    assert odd.status_code == 413


async def test_who_is_not_signed_in_can_send_little(admin: httpx.AsyncClient, plane: Plane) -> None:
    body = b'{"username": "ada", "password": "' + b"x" * 17_000 + b'"}'
    assert (await plane.client.post("/api/v1/auth/login", content=body, headers=JSON)).status_code == 413

    async def parts() -> object:
        for _ in range(20):
            yield b"x" * 1_000

    chunked = await plane.client.post("/api/v1/auth/login", content=parts(), headers=JSON)  # type: ignore[arg-type]  # an async generator
    assert chunked.status_code == 413
    assert (await admin.post(URL, content=body, headers=JSON)).status_code == 422


async def test_a_body_full_of_problems_is_answered_briefly(admin: httpx.AsyncClient) -> None:
    values = b"[" + b",".join([b'"\\u0001"'] * 100_000) + b"]"
    names = b"{" + b",".join(b'"a%d\\u0001":1' % number for number in range(50_000)) + b"}"
    for body in (values, names):
        answer = await admin.post(URL, content=body, headers=JSON)
        assert answer.status_code == 422
        assert len(answer.json()["errors"]) == 50


async def test_targets_are_bounded(admin: httpx.AsyncClient) -> None:
    answer = await admin.get(URL + "?x=" + "y" * 9_000)
    assert answer.status_code == 414


async def test_query_strings_are_strict(admin: httpx.AsyncClient) -> None:
    for query in (
        "active_only=perhaps", "active_only=true&active_only=false", "unknown=1", "active_only=%ff", "active_only=%00",
        "&".join(f"a{number}=1" for number in range(100)),
    ):  # fmt: skip
        answer = await admin.get(f"{URL}?{query}")
        assert answer.status_code == 422, query
    for query in ("limit=0", "limit=201", "limit=x", "cursor=x", "since=yesterday", "since=2026-01-01T00:00:00"):
        answer = await admin.get(f"/api/v1/admin/audit-log?{query}")
        assert answer.status_code == 422, query
    both = await admin.get("/api/v1/admin/audit-log?limit=0&since=x&what=1")
    assert {problem["field"] for problem in both.json()["errors"]} == {"limit", "since", "what"}


async def test_request_ids(admin: httpx.AsyncClient, plane: Plane) -> None:
    kept = await admin.get(URL + "/x", headers={"x-request-id": "abc-1.2:3_4"})
    assert kept.headers["x-request-id"] == kept.json()["request_id"] == "abc-1.2:3_4"
    for bad in ("a b", "x" * 65, "a\tb", "é".encode()):
        answer = await admin.get(URL, headers=[(b"x-request-id", bad if isinstance(bad, bytes) else bad.encode())])
        assert answer.headers["x-request-id"] not in {bad, ""}
        assert len(answer.headers["x-request-id"]) == 32
    refused = await plane.client.get(URL)
    assert refused.headers["x-request-id"] == refused.json()["request_id"]


async def test_headers_of_every_answer(make_plane: MakePlane) -> None:
    plane = await make_plane(CORS_ORIGINS="https://admin.example.com", TRUSTED_PROXIES="192.0.2.0/24")
    expected = {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "cache-control": "no-store",
    }
    origin = {"origin": "https://admin.example.com"}
    for path, more in (("/api/v1/admin/health/live", {}), (URL, {}), ("/nowhere", {}), (URL, origin)):
        answer = await plane.client.get(path, headers=more)
        assert {name: answer.headers[name] for name in expected} == expected
        assert answer.headers.get("access-control-allow-origin") == more.get("origin")
        assert "strict-transport-security" not in answer.headers
    https = await plane.client.get(URL, headers={"x-forwarded-proto": "https"})
    assert "max-age" in https.headers["strict-transport-security"]
    foreign = await plane.client.get(URL, headers={"origin": "https://evil.example.com"})
    assert "access-control-allow-origin" not in foreign.headers
    asked = {**origin, "access-control-request-method": "PUT"}
    preflight = await plane.client.options(URL, headers=asked)
    assert preflight.status_code == 204
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-origin"] == "https://admin.example.com"
    evil = await plane.client.options(URL, headers={**asked, "origin": "https://evil.example.com"})
    assert evil.status_code == 401


async def test_an_unforeseen_error_says_nothing(plane: Plane, admin: httpx.AsyncClient) -> None:
    async with plane.control_plane.sessions.begin() as session:
        from sqlalchemy import text

        # A row that no save could have written: its secret was sealed for another.
        await session.execute(text("UPDATE admins SET sealed = 'gAAAA-not-a-token'"))
    answer = await plane.client.post("/api/v1/auth/login", json={"username": "ada", "password": "x" * 8})
    assert answer.status_code == 500
    assert answer.content == b'{"detail":"Internal server error"}'
    assert answer.headers["content-type"] == "application/json"
    assert [event for event in plane.events if type(event).__name__ == "UnforeseenError"]


async def test_without_postgres_the_answer_is_503(
    make_plane: MakePlane, store_urls: StoreUrls, postgres_server: PostgresAddress
) -> None:
    plane = await make_plane()
    await sign_in(plane.admin)
    assert (await plane.client.get("/api/v1/admin/health/ready")).json()["status"] == "ok"
    drop_database(postgres_server, store_urls.superuser.rsplit("/", 1)[1])
    for method, path in (("GET", URL), ("POST", "/api/v1/auth/login")):
        body = {"username": "ada", "password": "whatever it is"} if method == "POST" else None
        answer = await plane.admin.request(method, path, json=body)
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "store_unavailable"
        assert "retry-after" in answer.headers
        assert store_urls.superuser.rsplit("/", 1)[1] not in answer.text
    import asyncio

    for _ in range(100):
        ready = await plane.client.get("/api/v1/admin/health/ready")
        if ready.status_code == 503:
            break
        await asyncio.sleep(0.05)
    assert ready.status_code == 503
    assert ready.json() == {"status": "degraded", "checks": ready.json()["checks"]}
    assert ready.json()["checks"]["database"] == "unavailable"
    assert (await plane.client.get("/api/v1/admin/health/live")).json() == {"status": "ok"}


async def test_postgres_may_come_back(make_plane: MakePlane, start_postgres: StartPostgres) -> None:
    server = start_postgres()
    url = server.address.url()
    migrate.upgrade(url)
    plane = await make_plane(DATABASE_URL=url)
    await sign_in(plane.admin)
    server.stop()
    body = {"name": "m", "method_type": "bearer"}
    assert (await plane.admin.post("/api/v1/admin/auth", json=body)).status_code == 503
    server.start()
    made = await plane.admin.post("/api/v1/admin/auth", json=body)
    assert made.status_code == 201, made.text


async def test_without_redis_definitions_can_still_be_saved(make_plane: MakePlane, free_port: int) -> None:
    plane = await make_plane(REDIS_URL=f"redis://127.0.0.1:{free_port}/0")
    await sign_in(plane.admin)
    made = await plane.admin.post("/api/v1/admin/auth", json={"name": "m", "method_type": "bearer"})
    assert made.status_code == 201
    assert int(made.headers["x-qg-revision"]) > 1
    ready = await plane.client.get("/api/v1/admin/health/ready")
    assert (ready.status_code, ready.json()["checks"]["redis"]) == (200, "unavailable")
    nodes = await plane.admin.get("/api/v1/admin/nodes")
    assert (nodes.status_code, nodes.json()["code"]) == (503, "unavailable")


async def test_addresses_behind_a_proxy(make_plane: MakePlane) -> None:
    plane = await make_plane(TRUSTED_PROXIES="192.0.2.0/24", SIGN_IN_FAILURES_USER_MAX="1")
    wrong = {"username": "ada", "password": "wrong password"}
    statuses = [
        (await plane.client.post("/api/v1/auth/login", json=wrong, headers={"x-forwarded-for": value})).status_code
        for value in ("198.51.100.1", "198.51.100.2", "203.0.113.9, 198.51.100.1")
    ]
    assert statuses == [401, 401, 429]
    two_lines = [("x-forwarded-for", "203.0.113.77"), ("x-forwarded-for", "198.51.100.1")]
    added = await plane.client.post("/api/v1/auth/login", json=wrong, headers=two_lines)
    assert added.status_code == 429  # what the proxy added behind the client's own line counts
    async with client_of(plane.control_plane, "203.0.113.5") as direct:
        forged = [
            (await direct.post("/api/v1/auth/login", json=wrong, headers={"x-forwarded-for": value})).status_code
            for value in ("198.51.100.3", "198.51.100.4")
        ]
    assert forged == [401, 429]


async def test_the_openapi_document_is_for_admins(plane: Plane, admin: httpx.AsyncClient) -> None:
    assert (await plane.client.get("/api/v1/openapi.json")).status_code == 401
    document = json.loads((await admin.get("/api/v1/openapi.json")).content)
    assert document["openapi"] == "3.1.0"
    assert "/api/v1/admin/endpoints/{endpoint_id}" in document["paths"]
    for path in ("/schema", "/docs", "/schema/swagger", "/api/v1/schema"):
        assert (await admin.get(path)).status_code == 404


async def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_failure_of_ours(plane: Plane) -> None:
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive() -> object:
        return messages.pop(0)

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/auth/login", "raw_path": b"/api/v1/auth/login",
        "query_string": b"", "headers": [(b"content-type", b"application/json")], "client": ("192.0.2.1", 1),
        "scheme": "http",
    }  # fmt: skip
    await plane.control_plane.app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert not [event for event in plane.events if type(event).__name__ == "UnforeseenError"]
