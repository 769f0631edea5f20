"""What admins read of the requests that data planes served: pages, filters, and when credentials were last used."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from control_plane.access_log.cursor import cursor_after, read_cursor
from control_plane.input.kinds import new_id
from qg_core.errors import InvalidInput
from qg_store.engine import make_engine, make_sessions
from qg_store.repositories import access_log, credential_uses
from qg_store.repositories.access_log import AccessRow
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import Plane

URL = "/api/v1/admin/access-log"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIELDS = {
    "event_id", "at", "request_id", "endpoint_id", "path", "method", "principal", "auth_method_id", "remote_ip",
    "status", "duration_ms", "row_count", "bytes", "revision", "node",
}  # fmt: skip


def row(sequence: int, at: datetime, **fields: Any) -> AccessRow:
    values: dict[str, Any] = {
        "event_id": f"log-1.{sequence}",
        "at": at,
        "request_id": f"request-{sequence}",
        "endpoint_id": None,
        "path": "/api/v1/data/orders",
        "method": "GET",
        "principal": None,
        "auth_method_id": None,
        "credential_id": None,
        "remote_ip": "192.0.2.7",
        "status": 200,
        "duration_ms": 1.5,
        "row_count": 3,
        "bytes": 100,
        "revision": 7,
        "node": "node-1",
    }
    return AccessRow(**{**values, **fields})


async def store(store_urls: StoreUrls, rows: Sequence[AccessRow], uses: dict[str, datetime] | None = None) -> None:
    """As workers do."""
    engine = make_engine(store_urls.worker, pool_max=1)
    try:
        async with make_sessions(engine).begin() as session:
            await access_log.add(session, rows)
            await credential_uses.note(session, uses or {})
    finally:
        await engine.dispose()


async def ids(admin: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await admin.get(URL, params=query)
    assert answer.status_code == 200, answer.text
    return [item["event_id"].rpartition(".")[2] for item in answer.json()["items"]]


async def test_it_pages_newest_first_through_rows_of_the_same_moment(
    admin: httpx.AsyncClient, store_urls: StoreUrls
) -> None:
    # Three days, one of them without a partition of its own, and five rows at the very same moment.
    days = [NOON - timedelta(days=400), NOON - timedelta(days=1), *[NOON] * 5, NOON + timedelta(microseconds=1)]
    await store(store_urls, [row(number, at) for number, at in enumerate(days)])
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    for _ in range(10):
        page = (await admin.get(URL, params=query)).json()
        assert set(page) == {"items", "next_cursor"}
        seen += [item["event_id"] for item in page["items"]]
        # A row that comes meanwhile moves nothing.
        await store(store_urls, [row(100 + len(seen), NOON + timedelta(hours=1))])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [f"log-1.{number}" for number in (7, 6, 5, 4, 3, 2, 1, 0)]


async def test_filters_alone_and_together(admin: httpx.AsyncClient, store_urls: StoreUrls) -> None:
    endpoint_id = new_id()
    await store(
        store_urls,
        [
            row(1, NOON, endpoint_id=endpoint_id, principal="acme", path="/api/v1/data/a"),
            row(2, NOON + timedelta(minutes=1), endpoint_id=endpoint_id, principal="emca", status=403),
            row(3, NOON + timedelta(minutes=2), principal="acme", status=404, row_count=None, revision=None),
        ],
    )
    assert await ids(admin) == ["3", "2", "1"]
    assert await ids(admin, endpoint_id=endpoint_id) == ["2", "1"]
    assert await ids(admin, endpoint_id=endpoint_id.upper()) == ["2", "1"]
    assert await ids(admin, principal="acme") == ["3", "1"]
    assert await ids(admin, path="/api/v1/data/a") == ["1"]
    assert await ids(admin, status=404) == ["3"]
    assert await ids(admin, request_id="request-2") == ["2"]
    assert await ids(admin, since="2026-11-20T12:01:00Z") == ["3", "2"]
    assert await ids(admin, until="2026-11-20T13:01:00+01:00") == ["1"]
    assert await ids(admin, endpoint_id=endpoint_id, principal="acme") == ["1"]
    assert await ids(admin, principal="acme", status=403) == []
    shown = (await admin.get(URL, params={"request_id": "request-1"})).json()["items"][0]
    assert set(shown) == FIELDS
    assert (shown["at"], shown["endpoint_id"], shown["principal"]) == ("2026-11-20T12:00:00Z", endpoint_id, "acme")
    assert (await admin.get(URL, params={"request_id": "request-3"})).json()["items"][0]["row_count"] is None


REFUSED = (
    "limit=0", "limit=201", "limit=x", "status=99", "status=600", "status=ok", "endpoint_id=1", "path=", "principal=",
    "since=yesterday", "since=2026-11-20", "until=2026-11-20T12:00:00", "nothing=1", "status=200&status=404",
    "request_id=" + "x" * 65, "principal=%00", "path=%ff", "cursor=", "cursor=!", "cursor=" + "A" * 300, "cursor=AAAA",
    "since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:59-14:00",
)  # fmt: skip


async def test_what_is_no_filter_is_422(admin: httpx.AsyncClient) -> None:
    for query in REFUSED:
        answer = await admin.get(f"{URL}?{query}")
        assert answer.status_code == 422, f"{query}: {answer.status_code} {answer.text}"
        named = answer.json()["errors"][0]["field"]
        assert named in {query.partition("=")[0], "query"}, query
    at_the_edge = await admin.get(f"{URL}?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z")
    assert at_the_edge.status_code == 200, at_the_edge.text
    assert (await admin.get("/api/v1/admin/audit-log?since=0001-01-01T00:00:00%2B14:00")).status_code == 422


def test_a_cursor_is_taken_back_and_nothing_else_is() -> None:
    at = NOON + timedelta(microseconds=123_457)
    cursor = cursor_after(at, "log-1.7")
    place = read_cursor(cursor)
    assert (place.at, place.event_id) == (at, "log-1.7")
    hostile = [cursor[:-1], cursor + "A", cursor[::-1], cursor + "=", " " + cursor, "A" * 200, cursor + "\u0661"]
    hostile += [cursor_after(at, text) for text in ("", "x\x00y", "x" * 97, "a b", "a'b")]
    hostile += [cursor_after(datetime(1969, 12, 31, tzinfo=UTC), "log-1.7")]
    for text in hostile:
        with pytest.raises(InvalidInput, match="cursor"):
            read_cursor(text)


async def test_credentials_show_when_they_were_last_used(
    plane: Plane, admin: httpx.AsyncClient, store_urls: StoreUrls
) -> None:
    method = (await admin.post("/api/v1/admin/auth", json={"name": "m", "method_type": "bearer"})).json()
    url = f"/api/v1/admin/auth/{method['id']}/credentials"
    used = (await admin.post(url, json={"consumer": "used"})).json()["id"]
    await admin.post(url, json={"consumer": "never"})
    await store(store_urls, [], {used: NOON, new_id(): NOON})
    listed = {item["consumer"]: item["last_used_at"] for item in (await admin.get(url)).json()}
    assert listed == {"used": "2026-11-20T12:00:00Z", "never": None}
    await store(store_urls, [], {used: NOON - timedelta(days=1)})
    assert {item["last_used_at"] for item in (await admin.get(url)).json()} == {"2026-11-20T12:00:00Z", None}
    assert (await admin.delete(f"/api/v1/admin/auth/{method['id']}")).status_code == 204
    async with plane.control_plane.sessions() as session:
        assert await credential_uses.last_used(session, [used]) == {}
