"""Auth methods and credentials: secrets are seen once, rotation and revocation end what was issued."""

from typing import Any

import bcrypt
import httpx
import jwt

from qg_core.specs import AuthMethodSecret, CredentialSecret, SpecKind, sealed_row
from qg_security.api_keys import parse
from qg_security.tokens import verify_token
from qg_store.models import AuthMethod, Credential
from qg_store.repositories import auth_methods, credentials
from tests.integration.control_plane.conftest import Plane

URL = "/api/v1/admin/auth"
FIELDS = {
    "id", "name", "description", "method_type", "is_active", "algorithm", "expire_minutes", "username", "key_prefix",
    "created_at", "updated_at",
}  # fmt: skip


async def make(admin: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await admin.post(URL, json={"name": "m", **body})
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == FIELDS
    found: dict[str, Any] = answer.json()
    return found


async def stored(plane: Plane, method_id: str) -> tuple[AuthMethod, AuthMethodSecret | None, list[Credential]]:
    async with plane.control_plane.sessions() as session:
        row = await auth_methods.by_id(session, method_id)
        assert row is not None
        rows = await credentials.live(session, method_id)
    secret = None
    if row.sealed is not None:
        secret = plane.control_plane.sealer.open(
            sealed_row(SpecKind.AUTH_METHOD, method_id), row.sealed, AuthMethodSecret
        )
    return row, secret, rows


def hash_of(plane: Plane, row: Credential) -> bytes:
    assert row.sealed is not None
    opened = plane.control_plane.sealer.open(sealed_row(SpecKind.CREDENTIAL, row.id), row.sealed, CredentialSecret)
    return opened.bcrypt_hash.encode()


async def test_the_three_types(admin: httpx.AsyncClient) -> None:
    bearer = await make(admin, name="b", method_type="bearer")
    assert (bearer["algorithm"], bearer["expire_minutes"], bearer["username"], bearer["key_prefix"]) == (
        "HS256", 60, None, None,
    )  # fmt: skip
    basic = await make(admin, name="u", method_type="basic", username="consumer", password="pässword")
    assert (basic["algorithm"], basic["username"]) == (None, "consumer")
    key = await make(admin, name="k", method_type="api_key")
    assert key["key_prefix"] == "qg_"
    listed = (await admin.get(URL)).json()
    assert [item["name"] for item in listed] == ["b", "k", "u"]
    assert (await admin.get(f"{URL}/{key['id']}/")).json() == key


async def test_what_does_not_fit_is_refused(admin: httpx.AsyncClient) -> None:
    for body, field in (
        ({"method_type": "magic"}, "method_type"),
        ({}, "method_type"),
        ({"method_type": "basic", "username": "u"}, "password"),
        ({"method_type": "basic", "password": "p"}, "username"),
        ({"method_type": "basic", "username": "a:b", "password": "p"}, "username"),
        ({"method_type": "basic", "username": "u", "password": "é" * 40}, "password"),
        ({"method_type": "bearer", "algorithm": "none"}, "algorithm"),
        ({"method_type": "bearer", "algorithm": "RS256"}, "algorithm"),
        ({"method_type": "bearer", "expire_minutes": 0}, "expire_minutes"),
        ({"method_type": "bearer", "expire_minutes": 525_601}, "expire_minutes"),
        ({"method_type": "bearer", "username": "u"}, "username"),
        ({"method_type": "api_key", "key_prefix": "x" * 33}, "key_prefix"),
        ({"method_type": "api_key", "key_prefix": "a b"}, "key_prefix"),
        ({"method_type": "api_key", "algorithm": "HS256"}, "algorithm"),
        ({"method_type": "api_key", "secret": "x"}, "secret"),
    ):
        answer = await admin.post(URL, json={"name": "m", **body})
        assert answer.status_code == 422, (body, answer.text)
        assert field in [problem["field"] for problem in answer.json()["errors"]], (body, answer.text)
    bearer = await make(admin, method_type="bearer")
    for change, field in (
        ({"method_type": "basic"}, "method_type"),
        ({"algorithm": None}, "algorithm"),
        ({"password": "p"}, "password"),
    ):
        answer = await admin.put(f"{URL}/{bearer['id']}", json=change)
        assert answer.status_code == 422, change
        assert field in [problem["field"] for problem in answer.json()["errors"]]


async def test_with_key(plane: Plane, admin: httpx.AsyncClient) -> None:
    made = await admin.post(f"{URL}/with-key", json={"name": "partner", "key_prefix": "pk_"})
    assert made.status_code == 201
    assert set(made.json()) == {"id", "api_key", "note"}
    key, method_id = made.json()["api_key"], made.json()["id"]
    assert key.startswith("pk_")
    assert len(key) >= 32
    _, secret, rows = await stored(plane, method_id)
    assert secret is not None
    parsed = parse(key.encode(), "pk_", secret.hmac_secret)
    assert parsed.credential_id == rows[0].id
    assert bcrypt.checkpw(parsed.secret_part, hash_of(plane, rows[0]))
    assert (await admin.post(f"{URL}/with-key", json={"name": "x", "method_type": "bearer"})).status_code == 422
    assert (await admin.post(f"{URL}/with-key", json={"name": "y", "method_type": "api_key"})).status_code == 201
    assert (await admin.post(f"{URL}/with-key", json={"name": "partner"})).status_code == 409
    seen = (await admin.get(URL)).text + (await admin.get(f"{URL}/{method_id}/credentials")).text
    seen += (await admin.get("/api/v1/admin/audit-log")).text + repr(plane.events)
    assert key not in seen
    assert parsed.secret_part.decode() not in seen
    assert key[:11] in (await admin.get(f"{URL}/{method_id}/credentials")).json()[0]["prefix"]


async def test_rotating_a_key(plane: Plane, admin: httpx.AsyncClient) -> None:
    made = (await admin.post(f"{URL}/with-key", json={"name": "partner"})).json()
    _, secret_before, before = await stored(plane, made["id"])
    rotated = await admin.post(f"{URL}/{made['id']}/rotate")
    assert rotated.status_code == 200
    assert set(rotated.json()) == {"api_key", "note"}
    assert rotated.json()["api_key"] != made["api_key"]
    assert int(rotated.headers["x-qg-revision"]) > 1
    _, secret, rows = await stored(plane, made["id"])
    assert secret != secret_before
    assert [row.id for row in rows] != [row.id for row in before]
    assert rows[0].consumer == "partner"


async def test_tokens_and_their_rotation(plane: Plane, admin: httpx.AsyncClient) -> None:
    made = await make(admin, name="svc", method_type="bearer", algorithm="HS512", expire_minutes=5)
    url = f"{URL}/{made['id']}"
    plain = await admin.post(f"{url}/issue-token")
    assert plain.status_code == 200, plain.text
    assert set(plain.json()) == {"token", "token_type", "expires_at", "note"}
    named = (await admin.post(f"{url}/issue-token", json={"consumer": "erp"})).json()
    again = (await admin.post(f"{url}/issue-token", json={"consumer": "erp"})).json()
    claims = [jwt.decode(item["token"], options={"verify_signature": False}) for item in (plain.json(), named, again)]
    assert [item["sub"] for item in claims] == ["svc", "erp", "erp"]
    assert claims[1]["cid"] == claims[2]["cid"] != claims[0]["cid"]
    assert claims[0]["aud"] == made["id"]
    assert claims[0]["exp"] - claims[0]["iat"] == 300
    assert set(claims[0]) == {"sub", "iat", "exp", "jti", "aud", "cid"}
    _, secret, rows = await stored(plane, made["id"])
    assert secret is not None
    verified = verify_token(named["token"].encode(), made["id"], "HS512", secret.hmac_secret, claims[1]["iat"])
    assert verified.cid in {row.id for row in rows}
    rotated = await admin.post(f"{url}/rotate")
    assert set(rotated.json()) == {"message"}
    _, new_secret, rows = await stored(plane, made["id"])
    assert new_secret != secret
    assert rows == []
    assert (await admin.post(f"{url}/rotate", json={"force": True})).status_code == 422


async def test_what_applies_to_basic(plane: Plane, admin: httpx.AsyncClient) -> None:
    made = await make(admin, method_type="basic", username="u", password="first password")
    url = f"{URL}/{made['id']}"
    for action in ("rotate", "issue-token"):
        assert (await admin.post(f"{url}/{action}")).status_code == 409
    _, _, rows = await stored(plane, made["id"])
    assert bcrypt.checkpw(b"first password", hash_of(plane, rows[0]))
    assert (await admin.put(url, json={"password": "second password"})).status_code == 200
    _, _, changed = await stored(plane, made["id"])
    assert changed[0].id != rows[0].id
    assert bcrypt.checkpw(b"second password", hash_of(plane, changed[0]))
    assert (await admin.put(url, json={"username": "v"})).json()["username"] == "v"
    _, _, renamed = await stored(plane, made["id"])
    assert [row.consumer for row in renamed] == ["v"]
    assert bcrypt.checkpw(b"second password", hash_of(plane, renamed[0]))


async def test_credentials_of_single_consumers(plane: Plane, admin: httpx.AsyncClient) -> None:
    kinds = {
        "api_key": await make(admin, name="k", method_type="api_key"),
        "token": await make(admin, name="b", method_type="bearer"),
        "password": await make(admin, name="u", method_type="basic", username="u", password="p"),
    }
    for secret_field, method in kinds.items():
        url = f"{URL}/{method['id']}/credentials"
        issued = await admin.post(url, json={"consumer": "erp", "expires_at": "2099-01-01T00:00:00Z"})
        assert issued.status_code == 201, issued.text
        body = issued.json()
        secrets = {name for name in ("api_key", "token", "password") if body[name] is not None}
        assert secrets == {secret_field}
        assert (await admin.post(url, json={"consumer": "erp"})).status_code == 409
        listed = (await admin.get(url)).json()
        assert {"erp"} <= {item["consumer"] for item in listed}
        assert set(listed[0]) == {"id", "consumer", "prefix", "created_at", "expires_at", "last_used_at"}
        assert body[secret_field] not in (await admin.get(url)).text
        assert (await admin.delete(f"{url}/{body['id']}")).status_code == 204
        assert (await admin.delete(f"{url}/{body['id']}")).status_code == 404
        assert body["id"] not in (await admin.get(url)).text
        async with plane.control_plane.sessions() as session:
            row = await session.get(Credential, body["id"])
            assert row is not None
            assert row.revoked_at is not None
            assert row.sealed is None
        assert (await admin.post(url, json={"consumer": "erp"})).status_code == 201
        for wrong in ({}, {"consumer": ""}, {"consumer": "x", "expires_at": "2001-01-01T00:00:00Z"},
                      {"consumer": "x", "expires_at": "2099-01-01T00:00:00"}, {"consumer": "a\nb"}):  # fmt: skip
            assert (await admin.post(url, json=wrong)).status_code == 422, wrong


async def test_a_token_never_outlives_its_credential(admin: httpx.AsyncClient) -> None:
    from datetime import UTC, datetime, timedelta

    method = await make(admin, method_type="bearer", expire_minutes=600)
    soon = datetime.now(UTC) + timedelta(minutes=2)
    url = f"{URL}/{method['id']}"
    await admin.post(f"{url}/credentials", json={"consumer": "erp", "expires_at": soon.isoformat()})
    token = (await admin.post(f"{url}/issue-token", json={"consumer": "erp"})).json()
    assert datetime.fromisoformat(token["expires_at"]) <= soon + timedelta(seconds=1)


async def test_ids_of_other_methods_do_not_fit(admin: httpx.AsyncClient) -> None:
    first = (await admin.post(f"{URL}/with-key", json={"name": "a"})).json()
    second = (await admin.post(f"{URL}/with-key", json={"name": "b"})).json()
    theirs = (await admin.get(f"{URL}/{first['id']}/credentials")).json()[0]["id"]
    assert (await admin.delete(f"{URL}/{second['id']}/credentials/{theirs}")).status_code == 404
    for wrong in ("nonsense", "{" + theirs + "}", "urn:uuid:" + theirs, theirs.replace("-", "")):
        assert (await admin.delete(f"{URL}/{second['id']}/credentials/{wrong}")).status_code == 422
        assert (await admin.get(f"{URL}/{wrong}")).status_code == 422
    assert (await admin.get(f"{URL}/{theirs}")).status_code == 404
