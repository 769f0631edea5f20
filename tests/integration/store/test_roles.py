"""What each role may do, tried by connecting as it."""

import asyncpg
import pytest

from tests.fixtures.store import StoreUrls

_TABLES = (
    "access_dead_letters", "access_log", "access_log_default", "access_sources", "admins", "alembic_version",
    "audit_log", "auth_methods", "checkpoints", "connections", "credential_uses", "credentials", "endpoints",
    "gateway", "job_runs", "job_slots", "publish_state", "published", "revision_changes", "revisions", "schedules",
    "settings", "sign_in_failures", "snapshot_pieces", "snapshots", "specs",
)  # fmt: skip
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")

_APP = {
    "access_dead_letters": "SELECT",
    "access_log": "SELECT",
    "access_log_default": "",
    "access_sources": "SELECT",
    "admins": "SELECT INSERT UPDATE DELETE",
    "alembic_version": "SELECT",
    "audit_log": "SELECT INSERT",
    "auth_methods": "SELECT INSERT UPDATE DELETE",
    "checkpoints": "SELECT INSERT DELETE",
    "connections": "SELECT INSERT UPDATE DELETE",
    "credential_uses": "SELECT DELETE",
    "credentials": "SELECT INSERT UPDATE DELETE",
    "endpoints": "SELECT INSERT UPDATE DELETE",
    "gateway": "SELECT INSERT",
    "job_runs": "SELECT INSERT",
    "job_slots": "SELECT",
    "publish_state": "SELECT",
    "published": "SELECT INSERT UPDATE DELETE",
    "revision_changes": "SELECT INSERT",
    "revisions": "SELECT INSERT",
    "schedules": "SELECT INSERT UPDATE DELETE",
    "settings": "SELECT INSERT UPDATE DELETE",
    "sign_in_failures": "SELECT INSERT DELETE",
    "snapshot_pieces": "SELECT DELETE",
    "snapshots": "SELECT DELETE",
    "specs": "SELECT INSERT DELETE",
}
_WORKER = {
    "access_dead_letters": "SELECT INSERT DELETE",
    "access_log": "SELECT INSERT",
    "access_log_default": "",
    "access_sources": "SELECT INSERT UPDATE DELETE",
    "admins": "",
    "alembic_version": "SELECT",
    "audit_log": "",
    "auth_methods": "",
    "checkpoints": "SELECT",
    "connections": "",
    "credential_uses": "SELECT INSERT UPDATE",
    "credentials": "",
    "endpoints": "",
    "gateway": "SELECT",
    "job_runs": "SELECT INSERT UPDATE DELETE",
    "job_slots": "SELECT",
    "publish_state": "SELECT",
    "published": "SELECT",
    "revision_changes": "SELECT",
    "revisions": "SELECT",
    "schedules": "SELECT",
    "settings": "",
    "sign_in_failures": "",
    "snapshot_pieces": "SELECT INSERT DELETE",
    "snapshots": "SELECT INSERT DELETE",
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
        "DELETE FROM access_log",
        "DELETE FROM access_log_default",
        "UPDATE access_log SET principal = 'somebody else'",
        "INSERT INTO snapshot_pieces (snapshot_id, encoding, number, body) VALUES (gen_random_uuid(), 'x', 0, 'x')",
        "UPDATE job_runs SET token = 0",
        "UPDATE job_runs SET lease_until = now()",
        "DELETE FROM job_runs",
        "UPDATE job_slots SET run_id = NULL",
        "SELECT qg_make_access_partition(current_date)",
        "SELECT qg_drop_access_partition('2020-01-01')",
        "SELECT qg_prune_access_default('2020-01-01', 1)",
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
        "SELECT * FROM settings",
        "UPDATE schedules SET is_active = false",
        (
            "INSERT INTO schedules (id, endpoint_id, schedule_type, interval_seconds)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), 'interval', 10)"
        ),
        "DELETE FROM schedules",
        "UPDATE snapshots SET header = 'x'",
        "UPDATE snapshot_pieces SET body = 'x'",
        "INSERT INTO job_slots (slot) VALUES (9)",
        "UPDATE job_slots SET slot = 9",
        "UPDATE access_log SET principal = 'somebody else'",
        "DELETE FROM access_log",
        "DELETE FROM access_log_default",
        "DROP TABLE access_log_default",
        "CREATE TABLE access_log_20200101 (x int)",
        "DELETE FROM credential_uses",
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
