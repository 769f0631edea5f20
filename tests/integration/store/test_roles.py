"""What each role may do, tried by connecting as it."""

import asyncpg
import pytest

from tests.fixtures.store import StoreUrls

_TABLES = (
    "admins", "alembic_version", "audit_log", "auth_methods", "checkpoints", "connections", "credentials", "endpoints",
    "gateway", "publish_state", "published", "revision_changes", "revisions", "sign_in_failures", "specs",
)  # fmt: skip
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")

_APP = {
    "admins": "SELECT INSERT UPDATE DELETE",
    "alembic_version": "SELECT",
    "audit_log": "SELECT INSERT",
    "auth_methods": "SELECT INSERT UPDATE DELETE",
    "checkpoints": "SELECT INSERT DELETE",
    "connections": "SELECT INSERT UPDATE DELETE",
    "credentials": "SELECT INSERT UPDATE DELETE",
    "endpoints": "SELECT INSERT UPDATE DELETE",
    "gateway": "SELECT INSERT",
    "publish_state": "SELECT",
    "published": "SELECT INSERT UPDATE DELETE",
    "revision_changes": "SELECT INSERT",
    "revisions": "SELECT INSERT",
    "sign_in_failures": "SELECT INSERT DELETE",
    "specs": "SELECT INSERT DELETE",
}
_WORKER = {
    "admins": "",
    "alembic_version": "SELECT",
    "audit_log": "",
    "auth_methods": "",
    "checkpoints": "SELECT",
    "connections": "",
    "credentials": "",
    "endpoints": "",
    "gateway": "SELECT",
    "publish_state": "SELECT",
    "published": "SELECT",
    "revision_changes": "SELECT",
    "revisions": "SELECT",
    "sign_in_failures": "",
    "specs": "SELECT",
}


async def _rights(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        tables = [
            row[0]
            for row in await connection.fetch(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
            )
        ]
        return {
            table: " ".join(
                [
                    right
                    for right in _RIGHTS
                    if await connection.fetchval("SELECT has_table_privilege($1, $2)", table, right)
                ]
            )
            for table in tables
        }
    finally:
        await connection.close()


async def test_the_rights_of_app_and_worker_are_exactly_these(store_urls: StoreUrls) -> None:
    assert set(_APP) == set(_WORKER) == set(_TABLES)
    assert await _rights(store_urls.app) == _APP
    assert await _rights(store_urls.worker) == _WORKER


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'somebody else'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "DROP TABLE audit_log",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "CREATE TABLE mine (x int)",
        "UPDATE gateway SET gateway_id = 'another'",
        "UPDATE revisions SET delta = ''",
        "UPDATE publish_state SET singleton = true",
        "UPDATE specs SET body = ''",
        "SET ROLE qg_owner",
        "SET ROLE qg_worker",
    ],
)
async def test_app_may_not(store_urls: StoreUrls, statement: str) -> None:
    connection = await asyncpg.connect(store_urls.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM admins",
        "SELECT * FROM connections",
        "SELECT * FROM credentials",
        "SELECT * FROM audit_log",
        "INSERT INTO audit_log (actor, action, subject_kind, summary) VALUES ('x', 'x', 'x', 'x')",
        "UPDATE endpoints SET allow_unauthenticated = true",
        "UPDATE publish_state SET head = 9",
        "INSERT INTO specs (digest, kind, subject_id, format, body) VALUES ('x', 'x', 'x', 1, '')",
        "DELETE FROM revisions",
        "SET ROLE qg_app",
    ],
)
async def test_worker_may_not(store_urls: StoreUrls, statement: str) -> None:
    connection = await asyncpg.connect(store_urls.worker)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_each_must_be_able_to_do(store_urls: StoreUrls) -> None:
    app = await asyncpg.connect(store_urls.app)
    worker = await asyncpg.connect(store_urls.worker)
    try:
        await app.execute(
            "INSERT INTO audit_log (actor, action, subject_kind, summary) VALUES ('ada', 'save', 'endpoint', 'x')"
        )
        assert await app.fetchval("SELECT actor FROM audit_log") == "ada"
        await app.execute("UPDATE publish_state SET head = 2")
        await worker.execute("UPDATE publish_state SET activated = 1")
        assert await worker.fetchval("SELECT activated FROM publish_state") == 1
        await worker.execute("UPDATE revisions SET activated_at = now()")
        await app.execute("INSERT INTO gateway (gateway_id) VALUES ('test-gateway')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await app.execute("INSERT INTO gateway (gateway_id) VALUES ('second')")
    finally:
        await app.close()
        await worker.close()
