"""Admins sign in; failures are limited where they come from and nowhere else."""

import time

import httpx

from qg_security.passwords import hash_password
from tests.integration.control_plane.conftest import PASSWORD, MakePlane, Plane, client_of, sign_in

LOGIN = "/api/v1/auth/login"


async def test_the_seeded_admin_signs_in(plane: Plane) -> None:
    answer = await plane.client.post(LOGIN, json={"username": "ada", "password": PASSWORD})
    assert answer.status_code == 200
    body = answer.json()
    assert body["token_type"] == "bearer"
    assert body["expires_at"].endswith("Z")
    me = await plane.client.get("/api/v1/auth/me", headers={"authorization": f"bearer {body['access_token']}"})
    assert me.json() == {"username": "ada", "role": "admin"}
    assert answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


async def test_wrong_password_and_unknown_user_look_the_same(plane: Plane) -> None:
    answers = [
        await plane.client.post(LOGIN, json={"username": name, "password": "wrong password"}) for name in ("ada", "bob")
    ]
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert bodies[0] == bodies[1]
    assert bodies[0]["detail"] == "Invalid username or password."
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert answers[0].headers["content-type"] == "application/problem+json"


async def test_unknown_users_cost_the_same_work(make_plane: MakePlane) -> None:
    plane = await make_plane(ADMIN_PASSWORD_HASH=hash_password(PASSWORD))
    times: dict[str, list[float]] = {"ada": [], "nobody": []}
    for _ in range(2):
        for name, found in times.items():
            # The work of this process, not the wall clock: a busy machine delays either one.
            begun = time.process_time()
            await plane.client.post(LOGIN, json={"username": name, "password": "wrong password"})
            found.append(time.process_time() - begun)
    assert min(times["nobody"]) > 0.5 * min(times["ada"])
    assert min(times["ada"]) > 0.5 * min(times["nobody"])


async def test_malformed_sign_ins_are_422_with_all_problems(plane: Plane) -> None:
    too_long = await plane.client.post(LOGIN, json={"username": "ada", "password": "é" * 37})
    assert too_long.status_code == 422
    assert too_long.json()["errors"] == [{"field": "password", "message": "must have at most 72 bytes"}]
    both = await plane.client.post(LOGIN, json={"username": 5, "extra": 1})
    assert both.status_code == 422
    assert {problem["field"] for problem in both.json()["errors"]} == {"username", "password", "extra"}


async def test_only_failures_from_the_same_address_are_limited(make_plane: MakePlane) -> None:
    plane = await make_plane(SIGN_IN_FAILURES_USER_MAX="3", SIGN_IN_FAILURES_ADDRESS_MAX="5")
    for _ in range(6):
        await sign_in(plane.client)
    plane.client.headers.pop("authorization")
    wrong = {"username": "ada", "password": "wrong password"}
    assert [(await plane.client.post(LOGIN, json=wrong)).status_code for _ in range(4)] == [401, 401, 401, 429]
    limited = await plane.client.post(LOGIN, json={"username": "ada", "password": PASSWORD})
    assert limited.status_code == 429
    assert 1 <= int(limited.headers["retry-after"]) <= 300
    assert limited.json()["code"] == "sign_in_limited"
    # Another user from there, until the address is at its own limit; the user from elsewhere, always.
    other = [(await plane.client.post(LOGIN, json={**wrong, "username": "bob"})).status_code for _ in range(3)]
    assert other == [401, 401, 429]
    async with client_of(plane.control_plane, "198.51.100.7") as elsewhere:
        await sign_in(elsewhere)
    # And the limit holds on a second control plane.
    second = await make_plane(SIGN_IN_FAILURES_USER_MAX="3", SIGN_IN_FAILURES_ADDRESS_MAX="5")
    assert (await second.client.post(LOGIN, json=wrong)).status_code == 429


async def test_a_burst_does_not_get_past_the_limit(make_plane: MakePlane) -> None:
    import asyncio

    plane = await make_plane(SIGN_IN_FAILURES_USER_MAX="2")
    wrong = {"username": "ada", "password": "wrong password"}
    answers = await asyncio.gather(*(plane.client.post(LOGIN, json=wrong) for _ in range(12)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(401) == 2
    assert set(statuses) <= {401, 429, 503}


async def test_ipv6_neighbours_share_a_limit(make_plane: MakePlane) -> None:
    plane = await make_plane(SIGN_IN_FAILURES_USER_MAX="2")
    wrong = {"username": "ada", "password": "wrong password"}
    statuses = []
    for host in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
        async with client_of(plane.control_plane, host) as client:
            statuses.append((await client.post(LOGIN, json=wrong)).status_code)
    assert statuses == [401, 401, 429, 401]


async def test_a_success_forgives_the_users_own_failures(make_plane: MakePlane) -> None:
    plane = await make_plane(SIGN_IN_FAILURES_USER_MAX="2")
    wrong = {"username": "ada", "password": "wrong password"}
    for _ in range(3):
        assert (await plane.client.post(LOGIN, json=wrong)).status_code == 401
        await sign_in(plane.client)


async def test_bad_tokens_are_401(plane: Plane) -> None:
    good = plane.admin.headers["authorization"]
    for value in ("", "Bearer", "Bearer ", "Basic YTpi", "Bearer x.y.z", good + "x", good[:-4], "Bearer " + "a" * 5000):
        answer = await plane.client.get("/api/v1/auth/me", headers={"authorization": value})
        assert answer.status_code == 401, value
        assert answer.headers["www-authenticate"] == "Bearer"
    twice = await plane.client.get("/api/v1/auth/me", headers=[("authorization", good), ("authorization", good)])
    assert twice.status_code == 401


async def test_tokens_end(make_plane: MakePlane) -> None:
    import jwt

    plane = await make_plane()
    await sign_in(plane.admin)
    token = plane.admin.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, "k" * 64, algorithms=["HS256"], audience="querygateway-admin")
    for change, algorithm, key in (
        ({"exp": int(time.time()) - 1}, "HS256", "k" * 64),
        ({"ver": claims["ver"] + 1}, "HS256", "k" * 64),
        ({"aud": "other"}, "HS256", "k" * 64),
        ({"sub": "nobody"}, "HS256", "k" * 64),
        ({"role": "admin"}, "HS512", "k" * 64),
        ({}, "HS256", "j" * 64),
        ({}, "none", ""),
    ):
        forged = jwt.encode({**claims, **change}, key, algorithm=algorithm)
        answer = await plane.client.get("/api/v1/auth/me", headers={"authorization": f"Bearer {forged}"})
        assert answer.status_code == 401, change


async def test_sign_in_is_audited_without_secrets(plane: Plane, admin: httpx.AsyncClient) -> None:
    page = (await admin.get("/api/v1/admin/audit-log?action=sign_in")).json()
    assert page["items"][0]["actor"] == "ada"
    assert PASSWORD not in (await admin.get("/api/v1/admin/audit-log")).text
    assert PASSWORD not in repr(plane.events)
