"""Endpoints: what is accepted, how a partial update merges, what becomes public and who may do that."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.integration.control_plane.conftest import Plane, add_admin, sign_in
from tests.integration.control_plane.test_connections import connection

URL = "/api/v1/admin/endpoints"

SQL = "select order_id, status from orders where order_id = :ORDER_ID and status = :status"
PARAMETERS = {
    "order_id": {"type": "integer", "minimum": 1},
    "Status": {"type": "string", "required": False, "default": "open", "enum": ["open", "closed"]},
}


class Things:
    """A connection that leads nowhere (so saves need no database) and an auth method."""

    def __init__(self, admin: httpx.AsyncClient, connection_id: str, method_id: str) -> None:
        self.admin = admin
        self.connection_id = connection_id
        self.method_id = method_id

    def body(self, **changes: Any) -> dict[str, Any]:
        return {
            "name": "orders",
            "path": "/Sales/Orders/",
            "connection_id": self.connection_id,
            "auth_method_id": self.method_id,
            "sql_text": SQL,
            "param_schema": PARAMETERS,
            **changes,
        }

    async def save(self, **changes: Any) -> dict[str, Any]:
        answer = await self.admin.post(URL, json=self.body(**changes))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def things(admin: httpx.AsyncClient) -> Things:
    # Inactive: nothing is asked of the database on save.
    made = await admin.post("/api/v1/admin/connections", json=connection(is_active=False))
    method = await admin.post("/api/v1/admin/auth", json={"name": "m", "method_type": "bearer"})
    return Things(admin, made.json()["id"], method.json()["id"])


async def test_create_get_update_delete(things: Things) -> None:
    admin = things.admin
    body = await things.save()
    assert body["path"] == "sales/orders"
    assert set(body["param_schema"]) == {"order_id", "status"}
    assert body["warnings"] == []
    defaults = {
        "data_strategy": "live", "numbers": "number", "rows_max": 1000, "timeout_ms": None, "concurrency_max": 5,
        "is_active": True, "is_deprecated": False, "deprecation_note": None, "version": "v1", "column_map": {},
        "allow_unauthenticated": False,
    }  # fmt: skip
    assert {name: body[name] for name in defaults} == defaults
    one = f"{URL}/{body['id']}"
    assert (await admin.get(one)).json() == body
    changed = await admin.put(one, json={"rows_max": 5, "deprecation_note": "Use v2.", "is_deprecated": True})
    assert changed.status_code == 200
    assert int(changed.headers["x-qg-revision"]) > 1
    assert changed.json()["sql_text"] == SQL
    assert (await admin.get(URL)).json() == [changed.json()]
    assert (await admin.get(URL + "?public=true")).json() == []
    assert len((await admin.get(URL + "?public=false&active_only=true")).json()) == 1
    assert (await admin.delete(one)).status_code == 204
    assert (await admin.get(one)).status_code == 404


async def test_what_is_wrong_is_named(things: Things) -> None:
    plain = {"sql_text": "select 1 from dual", "param_schema": {}}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"path": "a//b"}, "path"),
        ({"path": "a/../b"}, "path"),
        ({"path": "_a"}, "path"),
        ({"path": "a b"}, "path"),
        ({"path": "ä"}, "path"),
        ({"path": "/"}, "path"),
        ({"path": "x" * 501}, "path"),
        ({"path": "a%2fb"}, "path"),
        ({"connection_id": "11111111-1111-4111-8111-111111111111"}, "connection_id"),
        ({"connection_id": "nonsense"}, "connection_id"),
        ({"auth_method_id": "11111111-1111-4111-8111-111111111111"}, "auth_method_id"),
        ({"auth_method_id": None}, "allow_unauthenticated"),
        ({"auth_method_id": None, "allow_unauthenticated": None}, "allow_unauthenticated"),
        ({"sql_text": "delete from orders", "param_schema": {}}, "sql_text"),
        ({"sql_text": "select 1 from dual; drop table x", "param_schema": {}}, "sql_text"),
        ({"sql_text": "select " + "(" * 3000 + "1" + ")" * 3000 + " from dual"}, "sql_text"),
        ({"sql_text": "select '" + "x" * 65_536 + "' from dual"}, "sql_text"),
        ({"param_schema": {}}, "param_schema.order_id"),
        ({"param_schema": {**PARAMETERS, "extra": {"type": "string"}}}, "param_schema.extra"),
        ({**plain, "param_schema": {"x": {"type": "string"}}}, "param_schema.x"),
        ({"param_schema": {**PARAMETERS, "STATUS": {"type": "string"}}}, "param_schema.STATUS"),
        ({"param_schema": {"order_id": {"type": "money"}}}, "param_schema.order_id.type"),
        ({"param_schema": {"order_id": {"type": "integer", "size": 1}}}, "param_schema.order_id.size"),
        ({"param_schema": {"order_id": 5}}, "param_schema.order_id"),
        ({"column_map": {"A": ""}}, "column_map.A"),
        ({"column_map": {"A": "x", "B": "x"}}, "column_map.B"),
        ({"column_map": {"A": "x", "a": "y"}}, "column_map.a"),
        ({"rows_max": 0}, "rows_max"),
        ({"rows_max": 5_000_001}, "rows_max"),
        ({"timeout_ms": 0}, "timeout_ms"),
        ({"concurrency_max": 0}, "concurrency_max"),
        ({"bytes_max": 0}, "bytes_max"),
        ({"numbers": "float"}, "numbers"),
        ({"data_strategy": "cached"}, "data_strategy"),
        ({"version": ""}, "version"),
        ({"deprecation_note": "x" * 1001}, "deprecation_note"),
        ({"data_strategy": "snapshot"}, "param_schema.order_id.required"),
        ({"unknown": True}, "unknown"),
    ]
    for changes, field in wrong:
        answer = await things.admin.post(URL, json=things.body(**changes))
        assert answer.status_code == 422, (changes, answer.text)
        assert field in [problem["field"] for problem in answer.json()["errors"]], (changes, answer.text)


async def test_parameters_must_make_sense(things: Things) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"type": "string", "required": False}, "default"),
        ({"type": "integer", "required": False, "default": "x"}, "default"),
        ({"type": "integer", "required": False, "default": 5, "maximum": 4}, "default"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "maximum"),
        ({"type": "string", "minimum": 5}, "minimum"),
        ({"type": "string", "enum": []}, "enum"),
        ({"type": "string", "required": False, "default": "x", "enum": ["y"]}, "default"),
        ({"type": "string", "max_length": 0}, "max_length"),
        ({"type": "string", "max_length": 4001}, "max_length"),
        ({"type": "string", "pattern": "("}, "pattern"),
        ({"type": "string", "pattern": "(a+)+b"}, "pattern"),
        ({"type": "string", "pattern": "(?=a)a"}, "pattern"),
        ({"type": "integer", "pattern": "a"}, "pattern"),
        ({"type": "date", "minimum": "yesterday"}, "minimum"),
        ({"type": "string", "description": "x" * 1001}, "description"),
        ({"type": "string", "enum": ["x"] * 501}, "enum"),
    ]
    for parameter, field in wrong:
        body = things.body(sql_text="select 1 from dual where 1 = :p", param_schema={"p": parameter})
        answer = await things.admin.post(URL, json=body)
        assert answer.status_code == 422, (parameter, answer.text)
        assert f"param_schema.p.{field}" in [problem["field"] for problem in answer.json()["errors"]], answer.text


async def test_names_and_paths_are_unique(things: Things) -> None:
    await things.save()
    same_name = await things.admin.post(URL, json=things.body(path="other"))
    same_path = await things.admin.post(URL, json=things.body(name="other", path="SALES/orders"))
    assert (same_name.status_code, same_path.status_code) == (409, 409)
    assert "name" in same_name.json()["detail"]
    assert "path" in same_path.json()["detail"]
    second = await things.save(name="second", path="second")
    taken = await things.admin.put(f"{URL}/{second['id']}", json={"path": "sales/orders"})
    assert taken.status_code == 409


async def test_an_update_is_held_against_the_merged_state(things: Things) -> None:
    one = f"{URL}/{(await things.save())['id']}"
    put = things.admin.put
    assert (await put(one, json={"sql_text": "select 1 from dual"})).status_code == 422
    assert (await put(one, json={"sql_text": "select 1 from dual", "param_schema": {}})).status_code == 200
    alone = await put(one, json={"auth_method_id": None})
    assert alone.status_code == 422
    assert "allow_unauthenticated" in alone.json()["detail"]
    assert (await put(one, json={"data_strategy": "snapshot"})).status_code == 200


async def test_deleting_the_auth_method_shuts_its_endpoints(things: Things) -> None:
    made = await things.save()
    both = await things.save(name="both", path="both", allow_unauthenticated=True)
    assert (await things.admin.delete(f"/api/v1/admin/auth/{things.method_id}")).status_code == 204
    for endpoint in (made, both):
        after = (await things.admin.get(f"{URL}/{endpoint['id']}")).json()
        assert (after["auth_method_id"], after["allow_unauthenticated"]) == (None, False)
        again = await things.admin.put(f"{URL}/{endpoint['id']}", json={"rows_max": 7})
        assert again.status_code == 422
        assert "allow_unauthenticated" in again.json()["detail"]


async def test_connections_in_use_stay(things: Things) -> None:
    made = await things.save()
    url = f"/api/v1/admin/connections/{things.connection_id}"
    refused = await things.admin.delete(url)
    assert refused.status_code == 409
    assert refused.json()["code"] == "still_in_use"
    assert "orders" in refused.json()["detail"]
    assert (await things.admin.delete(f"{URL}/{made['id']}")).status_code == 204
    assert (await things.admin.delete(url)).status_code == 204


async def test_only_an_admin_makes_endpoints_public(plane: Plane, things: Things) -> None:
    await add_admin(plane, "ed", "editor")
    editor = plane.client
    await sign_in(editor, "ed")
    public = {"auth_method_id": None, "allow_unauthenticated": True}
    assert (await editor.post(URL, json=things.body(**public))).status_code == 403
    open_one = await things.save(**public)
    assert [item["id"] for item in (await editor.get(URL + "?public=true")).json()] == [open_one["id"]]
    one = f"{URL}/{open_one['id']}"
    assert (await editor.put(one, json={"sql_text": "select 1 from dual", "param_schema": {}})).status_code == 403
    assert (await editor.put(one, json={"rows_max": 2})).status_code == 403
    assert (await editor.put(one, json={"description": "Public."})).status_code == 200
    mine = (await editor.post(URL, json=things.body(name="mine", path="mine"))).json()
    assert (await editor.put(f"{URL}/{mine['id']}", json={"rows_max": 2})).status_code == 200
    assert (await editor.put(f"{URL}/{mine['id']}", json=public)).status_code == 403
    assert (await editor.delete(one)).status_code == 204


async def test_narrower_functions_are_held_against_the_endpoints(things: Things) -> None:
    url = f"/api/v1/admin/connections/{things.connection_id}"
    assert (await things.admin.put(url, json={"allowed_functions": ["pricing.net"]})).status_code == 200
    await things.save(sql_text="select pricing.net(1) n from dual", param_schema={})
    refused = await things.admin.put(url, json={"allowed_functions": []})
    assert refused.status_code == 422
    assert "orders" in refused.json()["detail"]
    assert (await things.admin.get(url)).json()["allowed_functions"] == ["pricing.net"]


async def test_edits_at_the_same_time_lose_nothing(things: Things) -> None:
    one = f"{URL}/{(await things.save())['id']}"
    changes: list[dict[str, Any]] = [
        {"rows_max": 11}, {"timeout_ms": 12}, {"concurrency_max": 13}, {"description": "x"},
    ]  # fmt: skip
    answers = await asyncio.gather(*(things.admin.put(one, json=change) for change in changes))
    assert [answer.status_code for answer in answers] == [200] * 4
    body = (await things.admin.get(one)).json()
    assert (body["rows_max"], body["timeout_ms"], body["concurrency_max"], body["description"]) == (11, 12, 13, "x")


async def test_an_unreachable_database_is_a_warning(things: Things) -> None:
    closed = await things.admin.post(
        "/api/v1/admin/connections", json=connection(name="closed", host="127.0.0.1", port=1)
    )
    saved = await things.save(connection_id=closed.json()["id"])
    assert "could not be checked" in saved["warnings"][0]
