"""Every route, every role: the table below is the whole admin API, and a new route needs a line in it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from tests.integration.control_plane.conftest import MakePlane, Plane, add_admin, client_of, sign_in

OPEN, VIEWER, EDITOR, ADMIN = "open", "viewer", "editor", "admin"
_A = "/api/v1/admin"

EXPECTED: dict[tuple[str, str], str] = {
    ("POST", "/api/v1/auth/login"): OPEN,
    ("GET", "/api/v1/auth/me"): VIEWER,
    ("GET", "/api/v1/openapi.json"): VIEWER,
    ("GET", f"{_A}/health/live"): OPEN,
    ("GET", f"{_A}/health/ready"): OPEN,
    ("GET", f"{_A}/health/dashboard"): VIEWER,
    ("GET", f"{_A}/admins"): ADMIN,
    ("POST", f"{_A}/admins"): ADMIN,
    ("GET", f"{_A}/admins/{{admin_id:str}}"): ADMIN,
    ("PUT", f"{_A}/admins/{{admin_id:str}}"): ADMIN,
    ("DELETE", f"{_A}/admins/{{admin_id:str}}"): ADMIN,
    ("GET", f"{_A}/connections"): VIEWER,
    ("POST", f"{_A}/connections"): EDITOR,
    ("GET", f"{_A}/connections/{{connection_id:str}}"): VIEWER,
    ("PUT", f"{_A}/connections/{{connection_id:str}}"): EDITOR,
    ("DELETE", f"{_A}/connections/{{connection_id:str}}"): EDITOR,
    ("POST", f"{_A}/connections/{{connection_id:str}}/test"): EDITOR,
    ("GET", f"{_A}/auth"): VIEWER,
    ("POST", f"{_A}/auth"): EDITOR,
    ("POST", f"{_A}/auth/with-key"): EDITOR,
    ("GET", f"{_A}/auth/{{method_id:str}}"): VIEWER,
    ("PUT", f"{_A}/auth/{{method_id:str}}"): EDITOR,
    ("DELETE", f"{_A}/auth/{{method_id:str}}"): EDITOR,
    ("POST", f"{_A}/auth/{{method_id:str}}/issue-token"): EDITOR,
    ("POST", f"{_A}/auth/{{method_id:str}}/rotate"): EDITOR,
    ("GET", f"{_A}/auth/{{method_id:str}}/credentials"): VIEWER,
    ("POST", f"{_A}/auth/{{method_id:str}}/credentials"): EDITOR,
    ("DELETE", f"{_A}/auth/{{method_id:str}}/credentials/{{credential_id:str}}"): EDITOR,
    ("GET", f"{_A}/endpoints"): VIEWER,
    ("POST", f"{_A}/endpoints"): EDITOR,
    ("POST", f"{_A}/endpoints/preview"): EDITOR,
    ("GET", f"{_A}/endpoints/{{endpoint_id:str}}"): VIEWER,
    ("PUT", f"{_A}/endpoints/{{endpoint_id:str}}"): EDITOR,
    ("DELETE", f"{_A}/endpoints/{{endpoint_id:str}}"): EDITOR,
    ("GET", f"{_A}/schedules"): VIEWER,
    ("POST", f"{_A}/schedules"): EDITOR,
    ("GET", f"{_A}/schedules/{{schedule_id:str}}"): VIEWER,
    ("PUT", f"{_A}/schedules/{{schedule_id:str}}"): EDITOR,
    ("DELETE", f"{_A}/schedules/{{schedule_id:str}}"): EDITOR,
    ("POST", f"{_A}/schedules/{{schedule_id:str}}/run"): EDITOR,
    ("POST", f"{_A}/schedules/{{schedule_id:str}}/pause"): EDITOR,
    ("POST", f"{_A}/schedules/{{schedule_id:str}}/resume"): EDITOR,
    ("GET", f"{_A}/schedules/jobs"): VIEWER,
    ("GET", f"{_A}/schedules/jobs/{{job_run_id:str}}"): VIEWER,
    ("GET", f"{_A}/schedules/snapshots/{{endpoint_id:str}}"): VIEWER,
    ("GET", f"{_A}/schedules/snapshots/detail/{{snapshot_id:str}}"): EDITOR,
    ("GET", f"{_A}/nodes"): VIEWER,
    ("GET", f"{_A}/revisions"): VIEWER,
    ("GET", f"{_A}/revisions/{{revision:str}}"): VIEWER,
    ("GET", f"{_A}/revisions/{{revision:str}}/diff/{{other:str}}"): VIEWER,
    ("POST", f"{_A}/revisions/{{revision:str}}/rollback"): ADMIN,
    ("GET", f"{_A}/audit-log"): VIEWER,
    ("GET", f"{_A}/access-log"): VIEWER,
    ("GET", f"{_A}/settings"): VIEWER,
    ("PUT", f"{_A}/settings"): ADMIN,
    ("GET", f"{_A}/settings/restart-keys"): VIEWER,
    ("GET", f"{_A}/settings/{{key:str}}"): VIEWER,
    ("PUT", f"{_A}/settings/{{key:str}}"): ADMIN,
}

_RANK = {OPEN: 0, VIEWER: 1, EDITOR: 2, ADMIN: 3}
_ID = "11111111-1111-4111-8111-111111111111"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def routes_of(plane: Plane) -> Iterator[tuple[str, str]]:
    for route in plane.control_plane.routes.routes:
        assert isinstance(route, HTTPRoute), f"{route} is no HTTP route"
        for handler in route.route_handlers:
            for method in handler.http_methods:
                if method != "OPTIONS":
                    yield str(method), route.path


def concrete(path: str) -> str:
    path = path.replace("{key:str}", "log_level")
    return re.sub(r"{(revision|other):str}", "999999", re.sub(r"{\w+_id:str}", _ID, path))


class Fleet:
    """One client per role; `None` is nobody."""

    def __init__(self, plane: Plane, clients: dict[str | None, httpx.AsyncClient]) -> None:
        self.plane = plane
        self.clients = clients


@pytest.fixture
async def fleet(make_plane: MakePlane) -> AsyncIterator[Fleet]:
    plane = await make_plane()
    await sign_in(plane.admin)
    clients: dict[str | None, httpx.AsyncClient] = {None: plane.client, ADMIN: plane.admin}
    for role in (VIEWER, EDITOR):
        await add_admin(plane, role, role)
        clients[role] = client_of(plane.control_plane)
        await sign_in(clients[role], role)
    yield Fleet(plane, clients)
    for client in clients.values():
        await client.aclose()


async def call(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    return await client.request(method, path, **more)


async def test_the_table_is_complete(fleet: Fleet) -> None:
    assert set(routes_of(fleet.plane)) == set(EXPECTED)


async def test_every_route_is_guarded_as_the_table_says(fleet: Fleet) -> None:
    for (method, path), needed in EXPECTED.items():
        target = concrete(path)
        for role, client in fleet.clients.items():
            answer = await call(client, method, target)
            said = f"{role}: {method} {target} -> {answer.status_code} {answer.text}"
            assert answer.status_code < 500, said
            if needed == OPEN:
                assert answer.status_code in {200, 422}, said
            elif role is None:
                assert answer.status_code == 401, said
                assert answer.headers["www-authenticate"] == "Bearer", said
            elif _RANK[role] < _RANK[needed]:
                assert answer.status_code == 403, said
                assert answer.json()["code"] == "forbidden", said
            else:
                assert answer.status_code in {200, 404, 422}, said


async def test_nobody_gets_past_the_gate_with_any_method_or_spelling(fleet: Fleet) -> None:
    nobody = fleet.clients[None]
    for (method, path), needed in EXPECTED.items():
        target = concrete(path)
        for tried in _METHODS:
            if EXPECTED.get((tried, path)) != OPEN:
                answer = await call(nobody, tried, target)
                assert answer.status_code == 401, f"{tried} {target} -> {answer.status_code} {answer.text}"
        for spelling in spellings_of(target):
            answer = await call(nobody, method, spelling)
            if needed == OPEN and answer.status_code in {200, 422}:
                continue  # another spelling of an open route that the router takes for it
            assert answer.status_code == 401, f"{method} {spelling} -> {answer.status_code} {answer.text}"


def spellings_of(target: str) -> tuple[str, ...]:
    """Other ways to write a path that some router or proxy might take for it."""
    return (
        target + "/", target + "//", target.replace("/admin/", "//admin/"), "/" + target,
        target.replace("/api/", "/API/"), target.replace("admin", "%61dmin"), target.replace("/admin", "/./admin"),
        target.replace("/admin/", "/admin%2F"), target + "%00", target + ";x", target + "?x=/api/v1/auth/login",
        target.replace("/v1/", "/v1/../v1/"), "/api/v1/auth/login/.." + target,
        "/api/v1/admin/health/live/../../.." + target,
    )  # fmt: skip


async def test_other_methods_of_a_known_path_are_405_with_allow(fleet: Fleet) -> None:
    admin = fleet.clients[ADMIN]
    for tried in ("PATCH", "HEAD"):
        answer = await call(admin, tried, f"{_A}/connections")
        assert answer.status_code == 405
        assert "POST" in answer.headers["allow"]
    options = await call(admin, "OPTIONS", f"{_A}/connections")
    assert options.status_code == 204
    assert "GET" in options.headers["allow"]
    assert (await call(admin, "GET", f"{_A}/nothing")).status_code == 404


async def test_a_trailing_slash_is_accepted_everywhere(fleet: Fleet) -> None:
    admin = fleet.clients[ADMIN]
    for (method, path), needed in EXPECTED.items():
        if needed == OPEN:
            continue
        plain, slashed = [await call(admin, method, concrete(path) + end) for end in ("", "/")]
        assert plain.status_code == slashed.status_code, (method, path)


async def test_a_demoted_or_removed_admin_is_nobody_at_once(fleet: Fleet) -> None:
    admin, editor = fleet.clients[ADMIN], fleet.clients[EDITOR]
    assert (await call(editor, "GET", "/api/v1/auth/me")).status_code == 200
    listed = {item["username"]: item["id"] for item in (await call(admin, "GET", f"{_A}/admins")).json()}
    demoted = await call(admin, "PUT", f"{_A}/admins/{listed['editor']}", json={"role": "viewer"})
    assert demoted.json()["role"] == "viewer"
    assert (await call(editor, "GET", "/api/v1/auth/me")).status_code == 401
    await sign_in(editor, "editor")
    assert (await call(editor, "POST", f"{_A}/connections")).status_code == 403
    assert (await call(admin, "PUT", f"{_A}/admins/{listed['editor']}", json={"password": "another one"})).is_success
    assert (await call(editor, "GET", "/api/v1/auth/me")).status_code == 401
    viewer = fleet.clients[VIEWER]
    assert (await call(admin, "DELETE", f"{_A}/admins/{listed['viewer']}")).status_code == 204
    assert (await call(viewer, "GET", "/api/v1/auth/me")).status_code == 401
    again = {"username": "viewer", "password": "a long password"}
    assert (await call(admin, "POST", f"{_A}/admins", json=again)).status_code == 201
    assert (await call(viewer, "GET", "/api/v1/auth/me")).status_code == 401


async def test_the_last_admin_stays(fleet: Fleet) -> None:
    admin = fleet.clients[ADMIN]
    listed = {item["username"]: item["id"] for item in (await call(admin, "GET", f"{_A}/admins")).json()}
    mine = f"{_A}/admins/{listed['ada']}"
    for method, body in (("DELETE", None), ("PUT", {"role": "editor"})):
        answer = await call(admin, method, mine, json=body) if body else await call(admin, method, mine)
        assert answer.status_code == 409
    promoted = await call(admin, "PUT", f"{_A}/admins/{listed['editor']}", json={"role": "admin"})
    assert promoted.is_success
    assert (await call(admin, "DELETE", mine)).status_code == 204
    assert (await call(admin, "GET", "/api/v1/auth/me")).status_code == 401


async def test_two_admins_who_demote_each_other_leave_one(fleet: Fleet) -> None:
    admin, editor = fleet.clients[ADMIN], fleet.clients[EDITOR]
    listed = {item["username"]: item["id"] for item in (await call(admin, "GET", f"{_A}/admins")).json()}
    await call(admin, "PUT", f"{_A}/admins/{listed['editor']}", json={"role": "admin"})
    await sign_in(editor, "editor")
    answers = await asyncio.gather(
        call(admin, "PUT", f"{_A}/admins/{listed['editor']}", json={"role": "viewer"}),
        call(editor, "PUT", f"{_A}/admins/{listed['ada']}", json={"role": "viewer"}),
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 409])


async def test_admins_are_never_shown_with_secrets(fleet: Fleet) -> None:
    admin = fleet.clients[ADMIN]
    listed = await call(admin, "GET", f"{_A}/admins")
    assert set(listed.json()[0]) == {"id", "username", "role", "created_at", "updated_at"}
    assert "$2b$" not in listed.text
    taken = {"username": "viewer", "password": "a long password"}
    assert (await call(admin, "POST", f"{_A}/admins", json=taken)).status_code == 409
    for body in (
        {"username": "x", "password": "short"},
        {"username": "x", "password": "é" * 40},
        {"username": "x", "password": "long enough", "role": "owner"},
        {"username": "a\nb", "password": "long enough"},
        {"username": "x"},
    ):
        assert (await call(admin, "POST", f"{_A}/admins", json=body)).status_code == 422, body
