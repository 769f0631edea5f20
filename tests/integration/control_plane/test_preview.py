"""Previews and the check on save, against the stand-in."""

from typing import Any

import httpx
import pytest

from qg_devstack.servers import StandinAddress
from tests.integration.control_plane.conftest import Plane
from tests.integration.control_plane.test_connections import connection

URL = "/api/v1/admin/endpoints"


@pytest.fixture
async def there(admin: httpx.AsyncClient, standin_server: StandinAddress) -> str:
    """The id of a connection to the stand-in."""
    body = connection(
        host=standin_server.host,
        port=standin_server.port,
        service_name=standin_server.service_name,
        username=standin_server.user,
        password=standin_server.password,
    )
    made = await admin.post("/api/v1/admin/connections", json=body)
    assert made.status_code == 201, made.text
    found: str = made.json()["id"]
    return found


def request(connection_id: str, sql_text: str, **more: Any) -> dict[str, Any]:
    return {"connection_id": connection_id, "sql_text": sql_text, **more}


async def test_columns_and_binds_come_first(admin: httpx.AsyncClient, there: str) -> None:
    sql = "select 7 as customer_id, 'x' as name from dual where 7 = :Id and 'DE' = :country"
    answer = await admin.post(f"{URL}/preview", json=request(there, sql))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["columns"], body["rows"], body["row_count"]) == (["CUSTOMER_ID", "NAME"], [], 0)
    assert body["bind_params"] == ["id", "country"]
    assert body["duration_ms"] > 0


async def test_rows_with_values(admin: httpx.AsyncClient, there: str) -> None:
    sql = "select 7 as customer_id, 'x' as name from dual where 7 = :id"
    body = (await admin.post(f"{URL}/preview", json=request(there, sql, params={"ID": 7}))).json()
    assert body["row_count"] == 1
    assert body["rows"][0]["CUSTOMER_ID"] == 7
    many = request(there, " union all ".join(f"select {n} as n from dual" for n in range(9)), max_rows=3)
    body = (await admin.post(f"{URL}/preview", json=many)).json()
    assert (body["row_count"], body["truncated"], len(body["rows"])) == (3, True, 3)


async def test_what_is_refused(plane: Plane, admin: httpx.AsyncClient, there: str) -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        (request(there, "delete from customers"), "sql_text"),
        (request(there, "select 1 from dual", params={"x": 1}), "params.x"),
        (request(there, "select :a from dual", params={"a": 1, "A": 2}), "params.A"),
        (request(there, "select :a from dual", params={"a": [1]}), "params.a"),
        (request(there, "select :a from dual", params={"a": 1e200}), "params.a"),
        (request(there, "select :a from dual", params={"a": 10**40}), "params.a"),
        (request(there, "select 1 from dual", max_rows=0), "max_rows"),
        (request(there, "select 1 from dual", max_rows=101), "max_rows"),
        (request("11111111-1111-4111-8111-111111111111", "select 1 from dual"), "connection_id"),
    ]
    for body, field in bad:
        answer = await admin.post(f"{URL}/preview", json=body)
        assert answer.status_code == 422, (body, answer.text)
        assert field in [problem["field"] for problem in answer.json()["errors"]], answer.text
    missing = await admin.post(f"{URL}/preview", json=request(there, "select 1 from no_such_table_anywhere"))
    assert missing.status_code == 400
    assert missing.json()["code"] == "query_refused"
    assert "NO_SUCH_TABLE_ANYWHERE" not in missing.text.upper()
    closed = await admin.post("/api/v1/admin/connections", json=connection(name="c", host="127.0.0.1", port=1))
    away = await admin.post(f"{URL}/preview", json=request(closed.json()["id"], "select 1 from dual"))
    assert away.status_code == 503
    audited = (await admin.get("/api/v1/admin/audit-log?action=preview")).json()["items"]
    assert len(audited) == 2
    assert "query_refused" in audited[1]["summary"]


async def test_a_long_comment_hides_no_statement_from_the_audit_log(admin: httpx.AsyncClient, there: str) -> None:
    statement = f"/* {'harmless ' * 1_000}*/ select 1 as what_was_read from dual"
    assert (await admin.post(f"{URL}/preview", json=request(there, statement))).status_code == 200
    (entry,) = (await admin.get("/api/v1/admin/audit-log?action=preview")).json()["items"]
    assert entry["summary"].endswith("select 1 as what_was_read from dual")


async def test_a_refused_statement_is_saved_with_warnings(admin: httpx.AsyncClient, there: str) -> None:
    method = (await admin.post("/api/v1/admin/auth", json={"name": "m", "method_type": "bearer"})).json()["id"]
    body = {"name": "e", "path": "e", "connection_id": there, "auth_method_id": method}
    saved = await admin.post(URL, json={**body, "sql_text": "select 1 as x from no_such_table_anywhere"})
    assert saved.status_code == 201, saved.text
    assert saved.json()["warnings"]
    one = f"{URL}/{saved.json()['id']}"
    assert (await admin.get(one)).json()["warnings"] == []
    better = await admin.put(one, json={"sql_text": "select 1 as customer_id, 2 as name from dual"})
    assert better.json()["warnings"] == []
    twice = await admin.put(one, json={"column_map": {"CUSTOMER_ID": "NAME"}})
    assert twice.status_code == 422
    assert twice.json()["errors"][0]["field"] == "column_map"
    unknown = await admin.put(one, json={"column_map": {"NOPE": "x"}})
    assert "NOPE" in unknown.json()["warnings"][0]
