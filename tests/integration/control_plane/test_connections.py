"""Connections: what is accepted, what is shown, and that a test reaches a database."""

import asyncio
from typing import Any

import httpx

from qg_devstack.servers import StandinAddress
from tests.integration.control_plane.conftest import MakePlane, Plane, add_admin, sign_in

URL = "/api/v1/admin/connections"


def connection(**changes: Any) -> dict[str, Any]:
    return {
        "name": "orders",
        "host": "db.example.com",
        "service_name": "FREEPDB1",
        "username": "app",
        "password": "s3cret-of-the-database",
        **changes,
    }


async def test_create_get_update_delete(admin: httpx.AsyncClient) -> None:
    made = await admin.post(URL, json=connection())
    assert made.status_code == 201, made.text
    body = made.json()
    assert int(made.headers["x-qg-revision"]) > 0
    assert body | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "name": "orders",
        "description": "",
        "host": "db.example.com",
        "port": 1521,
        "protocol": "tcp",
        "service_name": "FREEPDB1",
        "sid": None,
        "server_dn": None,
        "dsn": None,
        "username": "app",
        "has_password": True,
        "has_wallet": False,
        "pool_min": 1,
        "pool_max": 5,
        "pool_timeout": 10,
        "query_timeout": 30,
        "mode": "thin",
        "allowed_functions": [],
        "is_active": True,
        "created_at": "",
        "updated_at": "",
    }
    one = f"{URL}/{body['id']}"
    assert (await admin.get(one)).json() == body
    assert (await admin.get(URL)).json() == [body]
    changed = await admin.put(one, json={"pool_max": 7, "description": "The orders."})
    assert changed.status_code == 200
    assert (changed.json()["pool_max"], changed.json()["host"]) == (7, "db.example.com")
    assert int(changed.headers["x-qg-revision"]) > int(made.headers["x-qg-revision"])
    again = await admin.put(one, json={"pool_max": 7})
    assert again.headers["x-qg-revision"] == changed.headers["x-qg-revision"]
    off = await admin.put(one, json={"is_active": False})
    assert off.json()["is_active"] is False
    assert (await admin.get(URL + "?active_only=true")).json() == []
    assert (await admin.delete(one)).status_code == 204
    assert (await admin.get(one)).status_code == 404
    assert (await admin.put(one, json={})).status_code == 404
    assert (await admin.delete(one)).status_code == 404


async def test_secrets_are_nowhere(plane: Plane, admin: httpx.AsyncClient) -> None:
    made = (await admin.post(URL, json=connection())).json()
    texts = [
        (await admin.get(URL)).text,
        (await admin.get(f"{URL}/{made['id']}")).text,
        (await admin.get("/api/v1/admin/audit-log")).text,
        (await admin.post(URL, json=connection(password=5, name=""))).text,
        (await admin.post(URL, json=connection())).text,
        repr(plane.events),
    ]
    assert not [text for text in texts if "s3cret" in text]


async def test_names_are_unique(admin: httpx.AsyncClient) -> None:
    first, second = await asyncio.gather(*(admin.post(URL, json=connection()) for _ in range(2)))
    assert sorted([first.status_code, second.status_code]) == [201, 409]
    other = (await admin.post(URL, json=connection(name="other"))).json()
    taken = await admin.put(f"{URL}/{other['id']}", json={"name": "orders"})
    assert taken.status_code == 409
    assert taken.json()["code"] == "name_taken"


_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "   "}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "x" * 256}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": None}, "name"),
    ({"description": "x" * 1001}, "description"),
    ({"port": 0}, "port"),
    ({"port": 65536}, "port"),
    ({"port": "1521"}, "port"),
    ({"port": True}, "port"),
    ({"port": 1.5}, "port"),
    ({"host": None}, "host"),
    ({"host": "a b"}, "host"),
    ({"host": "h)(SID=x"}, "host"),
    ({"host": "169.254.169.254"}, "host"),
    ({"host": "0x7f.1"}, "host"),
    ({"service_name": None}, "service_name"),
    ({"service_name": "a)(x=y"}, "service_name"),
    ({"sid": "ORCL"}, "service_name"),
    ({"protocol": "ipc"}, "protocol"),
    ({"dsn": "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=h)(PORT=1))(CONNECT_DATA=(SID=x)))"}, "dsn"),
    ({"host": None, "service_name": None, "dsn": "config-file:///etc/passwd"}, "dsn"),
    ({"host": None, "service_name": None, "dsn": "h/s?https_proxy=x"}, "dsn"),
    ({"username": ""}, "username"),
    ({"password": ""}, "password"),
    ({"password": "x" * 1025}, "password"),
    ({"pool_min": 6}, "pool_min"),
    ({"pool_min": -1}, "pool_min"),
    ({"pool_max": 101}, "pool_max"),
    ({"pool_timeout": 0}, "pool_timeout"),
    ({"query_timeout": 3601}, "query_timeout"),
    ({"mode": "thick"}, "mode"),
    ({"wallet": "not PEM"}, "wallet"),
    ({"allowed_functions": ["a b"]}, "allowed_functions"),
    ({"unknown": 1}, "unknown"),
]


async def test_what_is_wrong_is_named(admin: httpx.AsyncClient) -> None:
    for changes, field in _WRONG:
        answer = await admin.post(URL, json=connection(**changes))
        assert answer.status_code == 422, (changes, answer.text)
        body = answer.json()
        assert field in [problem["field"] for problem in body["errors"]], (changes, body)
        assert isinstance(body["detail"], str)
        assert body["code"] == "invalid_input"


async def test_all_problems_at_once(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(URL, json={"name": "", "port": 0, "pool_min": 200, "what": 1})
    fields = {problem["field"] for problem in answer.json()["errors"]}
    assert fields == {"name", "port", "pool_min", "what", "username", "password"}


async def test_thick_mode_names_the_decision(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(URL, json=connection(mode="thick"))
    assert "docs/adr/0004" in answer.json()["errors"][0]["message"]


async def test_a_dsn_is_parsed_and_rebuilt(admin: httpx.AsyncClient) -> None:
    dsn = (
        "(DESCRIPTION=(LOAD_BALANCE=on)(ADDRESS_LIST=(ADDRESS=(PROTOCOL=tcp)(HOST=a.example.com)(PORT=1521))"
        "(ADDRESS=(PROTOCOL=tcps)(HOST=b.example.com)(PORT=2484)))(CONNECT_DATA=(SERVER=dedicated)(SERVICE_NAME=s1)))"
    )
    made = await admin.post(URL, json=connection(host=None, service_name=None, dsn=dsn))
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["host"], body["port"], body["protocol"], body["service_name"]) == (None, None, None, "s1")
    assert "b.example.com" in body["dsn"]
    assert "SERVER=" not in body["dsn"]
    one = f"{URL}/{body['id']}"
    written = await admin.put(one, json={"host": "c.example.com", "sid": "ORCL", "password": "entered again"})
    assert written.status_code == 200, written.text
    assert (written.json()["dsn"], written.json()["sid"], written.json()["service_name"]) == (None, "ORCL", None)


async def test_hosts_can_be_limited(make_plane: MakePlane) -> None:
    plane = await make_plane(ORACLE_HOSTS_ALLOWED="example.com,10.0.0.0/8")
    await sign_in(plane.admin)
    # With networks in the list, names are held against them when they are resolved.
    answers = [
        await plane.admin.post(URL, json=connection(name=host, host=host))
        for host in ("db.example.com", "10.1.2.3", "192.0.2.1")
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 422]


async def test_who_leads_a_connection_elsewhere_must_know_the_password(plane: Plane) -> None:
    made = (await plane.admin.post(URL, json=connection())).json()
    one = f"{URL}/{made['id']}"
    await add_admin(plane, "ed", "editor")
    await sign_in(plane.client, "ed")
    assert (await plane.client.put(one, json={"pool_max": 3})).status_code == 200
    refused = await plane.client.put(one, json={"host": "evil.example.net"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "password"
    assert (await plane.client.put(one, json={"host": "new.example.com", "password": "again"})).status_code == 200
    assert (await plane.client.put(one, json={"allowed_functions": ["pkg.f"]})).status_code == 403
    assert (await plane.client.post(URL, json=connection(name="x", allowed_functions=["f"]))).status_code == 403
    for elsewhere in (
        {"host": "third.example.com"}, {"port": 1599}, {"protocol": "tcps"}, {"service_name": "other"},
        {"sid": "OTHER", "service_name": None}, {"username": "somebody"}, {"server_dn": "CN=x"}, {"wallet": None},
        {"dsn": "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=evil.example.net)(PORT=1521))(CONNECT_DATA=(SID=X)))"},
    ):  # fmt: skip
        by_admin = await plane.admin.put(one, json=elsewhere)
        assert by_admin.status_code == 422, elsewhere
        assert [problem["field"] for problem in by_admin.json()["errors"]] == ["password"], elsewhere


async def test_a_test_signs_in(admin: httpx.AsyncClient, standin_server: StandinAddress) -> None:
    there = {
        "host": standin_server.host,
        "port": standin_server.port,
        "service_name": standin_server.service_name,
        "username": standin_server.user,
    }
    good = (await admin.post(URL, json=connection(**there, password=standin_server.password))).json()
    report = await admin.post(f"{URL}/{good['id']}/test")
    assert report.status_code == 200
    assert report.json()["success"] is True, report.text
    assert report.json()["oracle_version"]
    wrong = (await admin.post(URL, json=connection(**there, name="wrong", password="wr0ng-password"))).json()
    report = await admin.post(f"{URL}/{wrong['id']}/test/", json={})
    assert report.status_code == 200
    assert report.json()["success"] is False
    assert "wr0ng" not in report.text
    assert (await admin.post(f"{URL}/{good['id']}/test", json={"x": 1})).status_code == 422
