"""Starting: on a database of nobody, of another gateway, never migrated, two at once, and the seeded admin."""

import asyncio

import bcrypt
import pytest

from control_plane.seeding import DatabaseUnfit, GatewayMismatch
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import MakePlane, add_admin, sign_in


async def test_another_gateways_database_is_refused(make_plane: MakePlane) -> None:
    await make_plane()
    with pytest.raises(GatewayMismatch, match="other-gateway"):
        await make_plane(GATEWAY_ID="other-gateway")


async def test_a_database_that_was_never_migrated_is_refused(make_plane: MakePlane, postgres_database: str) -> None:
    with pytest.raises(DatabaseUnfit, match="querygateway migrate"):
        await make_plane(DATABASE_URL=postgres_database)


async def test_a_user_of_another_role_is_told_what_to_grant(make_plane: MakePlane, store_urls: StoreUrls) -> None:
    with pytest.raises(DatabaseUnfit, match=r"not in qg_app: .* GRANT qg_app TO"):
        await make_plane(DATABASE_URL=store_urls.worker)


async def test_two_first_starts_at_once(make_plane: MakePlane) -> None:
    first, second = await asyncio.gather(make_plane(), make_plane())
    for plane in (first, second):
        await sign_in(plane.admin)
    listed = (await first.admin.get("/api/v1/admin/admins")).json()
    assert [item["username"] for item in listed] == ["ada"]
    made = await first.admin.post("/api/v1/admin/auth", json={"name": "m", "method_type": "bearer"})
    assert (await second.admin.get(f"/api/v1/admin/auth/{made.json()['id']}")).status_code == 200
    taken = await asyncio.gather(
        *(
            plane.admin.post("/api/v1/admin/auth", json={"name": f"{index}-{number}", "method_type": "bearer"})
            for index, plane in enumerate((first, second))
            for number in range(5)
        )
    )
    revisions = [int(answer.headers["x-qg-revision"]) for answer in taken]
    assert len(set(revisions)) == 10
    assert {answer.status_code for answer in taken} == {201}


async def test_the_seeded_admin_is_taken_once_per_value(make_plane: MakePlane) -> None:
    plane = await make_plane()
    await add_admin(plane, "root", "admin")
    await sign_in(plane.admin, "root")
    admins = {item["username"]: item["id"] for item in (await plane.admin.get("/api/v1/admin/admins")).json()}
    assert (await plane.admin.delete(f"/api/v1/admin/admins/{admins['ada']}")).status_code == 204
    again = await make_plane()
    gone = await again.client.post("/api/v1/auth/login", json={"username": "ada", "password": "correct horse battery"})
    assert gone.status_code == 401
    new_hash = bcrypt.hashpw(b"a new password", bcrypt.gensalt(4)).decode()
    changed = await make_plane(ADMIN_PASSWORD_HASH=new_hash)
    await sign_in(changed.client, "ada", "a new password")
