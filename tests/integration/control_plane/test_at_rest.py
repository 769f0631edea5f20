"""What lies in Postgres and Redis: no password, key, token or hash in sight, and nothing that fits another row."""

import asyncpg
import pytest
from redis.asyncio import Redis

from qg_core.specs import ConnectionSecret, SpecKind, sealed_row
from qg_security.sealing import SealBroken
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import PASSWORD, Plane
from tests.integration.control_plane.test_connections import connection


async def everything_in_postgres(url: str) -> str:
    session = await asyncpg.connect(url)
    try:
        tables = await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = []
        for (table,) in tables:
            found = await session.fetch(f'SELECT row_to_json(t)::text FROM "{table}" t')
            rows += [row[0] for row in found]
        # Bytes are shown in hex: the spec bodies are looked at as text too.
        bodies = [bytes(row[0]).decode("utf-8", "replace") for row in await session.fetch("SELECT body FROM specs")]
    finally:
        await session.close()
    return "\n".join(rows + bodies)


async def everything_in_redis(redis: Redis) -> str:
    values = [await redis.get(key) for key in await redis.keys("*") if await redis.type(key) == b"string"]
    return "\n".join(value.decode("utf-8", "replace") for value in values if value is not None)


async def test_no_secret_lies_in_plain_sight(plane: Plane, store_urls: StoreUrls) -> None:
    admin = plane.admin
    auth = "/api/v1/admin/auth"
    made = await admin.post("/api/v1/admin/connections", json=connection())
    basic = {"name": "basic", "method_type": "basic", "username": "u", "password": "consumer-passw0rd"}
    assert (await admin.post(auth, json=basic)).status_code == 201
    key = (await admin.post(f"{auth}/with-key", json={"name": "key"})).json()["api_key"]
    bearer = (await admin.post(auth, json={"name": "bearer", "method_type": "bearer"})).json()["id"]
    token = (await admin.post(f"{auth}/{bearer}/issue-token")).json()["token"]
    body = {"username": "bob", "password": "an admin's passw0rd", "role": "viewer"}
    assert (await admin.post("/api/v1/admin/admins", json=body)).status_code == 201
    while plane.control_plane.publishing.activator.last_errors or not await plane.control_plane.redis.keys("qg:spec:*"):
        await plane.control_plane.publishing.activation.run()
    texts = {
        "postgres": await everything_in_postgres(store_urls.superuser),
        "redis": await everything_in_redis(plane.control_plane.redis),
        "events": repr(plane.events),
    }
    assert made.json()["id"] in texts["postgres"]
    assert "gAAAA" in texts["redis"], "sealed tokens are there"
    secrets = {
        "the database's password": "s3cret-of-the-database",
        "a consumer's password": "consumer-passw0rd",
        "an admin's password": "an admin's passw0rd",
        "the first admin's password": PASSWORD,
        "the secret part of a key": key.split("_")[-2],
        "a token": token,
        "a bcrypt hash": "$2b$",
        "ENCRYPTION_KEY": plane.environ["ENCRYPTION_KEY"],
        "BUNDLE_SIGNING_KEY": plane.environ["BUNDLE_SIGNING_KEY"],
    }
    found = [(place, name) for place, text in texts.items() for name, secret in secrets.items() if secret in text]
    assert found == []


async def test_a_sealed_secret_opens_in_its_own_row_only(plane: Plane, store_urls: StoreUrls) -> None:
    ids = [
        (await plane.admin.post("/api/v1/admin/connections", json=connection(name=name))).json()["id"]
        for name in ("a", "b")
    ]
    session = await asyncpg.connect(store_urls.superuser)
    sealed = {str(row[0]): row[1] for row in await session.fetch("SELECT id, sealed FROM connections")}
    await session.close()
    sealer = plane.control_plane.sealer
    opened = sealer.open(sealed_row(SpecKind.CONNECTION, ids[0]), sealed[ids[0]], ConnectionSecret)
    assert opened.password == "s3cret-of-the-database"
    with pytest.raises(SealBroken):
        sealer.open(sealed_row(SpecKind.CONNECTION, ids[1]), sealed[ids[0]], ConnectionSecret)
