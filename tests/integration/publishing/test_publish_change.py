"""A change becomes a signed revision in one transaction; what did not change keeps its bytes."""

import asyncio
import uuid
from collections.abc import Collection, Sequence

import msgspec
import pytest
from sqlalchemy import func, select, update

from control_plane.publishing.change import Change
from control_plane.publishing.references import StatementCheck
from qg_bundle.envelope import open_checkpoint, open_delta
from qg_core.errors import FieldProblem, InvalidInput
from qg_core.revisions import Manifest, SubjectKey, apply_deltas, manifest_of
from qg_core.specs import ConnectionSecret, ConnectionSpec, SpecKind, decode_spec, digest_of, sealed_row
from qg_security.sealing import new_fernet_key
from qg_store.models import AuditEntry, AuthMethod, Connection, Credential, Endpoint, Revision, StoredCheckpoint
from qg_store.repositories import publishing as ledger
from tests.fixtures.store import StoreUrls
from tests.integration.publishing.rig import ADMIN, GATEWAY, Rig, endpoint


async def replay(rig: Rig) -> Manifest:
    """The head's manifest, from the newest checkpoint and the deltas after it, everything verified."""
    async with rig.session() as session:
        head = (await ledger.heads(session)).head
        checkpoint = await ledger.newest_checkpoint(session, head)
        assert checkpoint is not None
        start = manifest_of(open_checkpoint(rig.verifier, GATEWAY, checkpoint.body, checkpoint.revision).value)
        rows = await ledger.deltas(session, checkpoint.revision, head, 10_000)
        deltas = [open_delta(rig.verifier, GATEWAY, row.body, row.revision).value for row in rows]
        manifest = apply_deltas(start, deltas)
        assert manifest.digests == await ledger.manifest(session)
        assert manifest.revision == head
    return manifest


async def test_a_change_is_a_verifiable_revision(rig: Rig) -> None:
    connection, method = rig.connection(), rig.api_key_method()
    assert await rig.add(connection, method, rig.credential(method), endpoint(connection, method)) == 1
    manifest = await replay(rig)
    assert {key.kind for key in manifest.digests} == {"connection", "auth_method", "credential", "endpoint"}
    digest = manifest.digest(SpecKind.CONNECTION, connection.id)
    async with rig.session() as session:
        async for rows in ledger.specs(session, [digest or ""]):
            (row,) = rows
    assert digest_of(row.body) == digest
    spec = decode_spec(row.body)
    assert isinstance(spec, ConnectionSpec)
    assert b"tiger" not in row.body
    secret = rig.seal.open(sealed_row(SpecKind.CONNECTION, connection.id), spec.sealed, ConnectionSecret)
    assert secret.password == "tiger"


async def test_saving_the_same_again_changes_nothing(rig: Rig) -> None:
    connection = rig.connection()
    first = await rig.add(connection, endpoint(connection))
    before = await replay(rig)
    # Sealed again at rest, with another token: what nodes see is the same.
    resealed = rig.at_rest.seal(sealed_row(SpecKind.CONNECTION, connection.id), ConnectionSecret("tiger"))
    assert await rig.edit(Connection, connection.id, sealed=resealed, description="now described") == first
    assert await replay(rig) == before
    other = rig.at_rest.seal(sealed_row(SpecKind.CONNECTION, connection.id), ConnectionSecret("lion"))
    assert await rig.edit(Connection, connection.id, sealed=other) == first + 1
    assert await replay(rig) != before


async def test_a_failed_change_leaves_nothing(rig: Rig) -> None:
    connection = rig.connection()
    await rig.add(connection)

    async def fail() -> None:
        async with rig.publishing.change(ADMIN) as change:
            change.session.add(rig.connection("other"))
            change.audit("create", "connection", None, "never seen")
            raise RuntimeError("the noun changed its mind")

    with pytest.raises(RuntimeError):
        await fail()
    assert await rig.publishing.head() == 1
    async with rig.session() as session:
        assert len(list(await session.scalars(select(Connection)))) == 1
        assert list(await session.scalars(select(AuditEntry))) == []


async def test_the_audit_entry_names_the_revision(rig: Rig) -> None:
    connection = rig.connection()
    async with rig.publishing.change(ADMIN) as change:
        change.session.add(connection)
        change.touch(SpecKind.CONNECTION, connection.id)
        change.audit("create", "connection", connection.id, "Created connection erp.")
    async with rig.session() as session:
        (entry,) = list(await session.scalars(select(AuditEntry)))
        assert (entry.revision, entry.actor, entry.subject_id) == (1, "alice", connection.id)
        (revision,) = list(await session.scalars(select(Revision)))
        assert revision.summary == "Created connection erp."


async def test_a_method_takes_its_credentials_along(rig: Rig) -> None:
    method = rig.api_key_method()
    first, second = rig.credential(method, "acme"), rig.credential(method, "bolt")
    await rig.add(method, first, second)
    assert len((await replay(rig)).digests) == 3
    await rig.edit(AuthMethod, method.id, is_active=False)
    assert (await replay(rig)).digests == {}
    await rig.edit(AuthMethod, method.id, is_active=True)
    assert len((await replay(rig)).digests) == 3
    await rig.remove(AuthMethod, method.id)
    assert (await replay(rig)).digests == {}


async def test_a_revoked_credential_leaves_the_manifest(rig: Rig) -> None:
    method = rig.api_key_method()
    credential = rig.credential(method)
    await rig.add(method, credential)
    async with rig.publishing.change(ADMIN) as change:
        # Past the session's objects, as a rotation of many does it.
        await change.session.get(Credential, credential.id)
        statement = update(Credential).where(Credential.auth_method_id == method.id)
        await change.session.execute(
            statement.values(revoked_at=func.now(), sealed=None).execution_options(synchronize_session=False)
        )
        change.touch(SpecKind.CREDENTIAL, credential.id)
    assert set((await replay(rig)).digests) == {SubjectKey("auth_method", method.id)}


async def test_checkpoints_come_every_64_revisions_and_at_the_start(rig: Rig) -> None:
    connection = rig.connection()
    await rig.add(connection)
    for number in range(2, 67):
        assert await rig.edit(Connection, connection.id, pool_max=10 + number) == number
    async with rig.session() as session:
        assert sorted(await session.scalars(select(StoredCheckpoint.revision))) == [1, 64]
    await replay(rig)


async def test_a_statement_that_a_connection_no_longer_allows_is_a_problem(
    store_urls: StoreUrls, redis_url: str
) -> None:
    async def check(sql_text: str, allowed_functions: Collection[str]) -> Sequence[FieldProblem]:
        allowed = "f(" not in sql_text or "f" in allowed_functions
        return [] if allowed else [FieldProblem("sql_text", "calls f")]

    statement_check: StatementCheck = check
    rig = Rig(store_urls.app, redis_url, statement_check=statement_check)
    connection = rig.connection()
    connection.allowed_functions = ("f",)
    calls = [endpoint(connection, path=f"calls{n}", sql_text="select f(1) from dual") for n in range(3)]
    await rig.add(connection, *calls, endpoint(connection, path="harmless"))

    async def disallow() -> None:
        async with rig.publishing.change(ADMIN) as change:
            row = await change.session.get(Connection, connection.id)
            assert row is not None
            row.allowed_functions = ()
            change.touch(SpecKind.CONNECTION, connection.id, recheck_statements=True)

    with pytest.raises(InvalidInput) as raised:
        await disallow()
    assert len(raised.value.problems) == 3
    assert await rig.publishing.head() == 1
    await rig.close()


async def test_two_control_planes_race_and_no_revision_is_lost_or_reused(store_urls: StoreUrls, redis_url: str) -> None:
    one = Rig(store_urls.app, redis_url)
    two = Rig(store_urls.app, redis_url, one.keys)
    connection = one.connection()
    await one.add(connection)

    async def write(rig: Rig, name: str) -> list[int]:
        return [await rig.add(endpoint(connection, path=f"{name}{n}")) for n in range(20)]

    taken = await asyncio.gather(write(one, "a"), write(one, "b"), write(two, "c"), write(two, "d"))
    revisions = sorted(revision for run in taken for revision in run)
    assert revisions == list(range(2, 82))
    manifest = await replay(one)
    assert len(manifest.digests) == 81
    await one.close()
    await two.close()


async def test_the_cost_follows_the_change(rig: Rig) -> None:
    connection = rig.connection()
    rows: list[Endpoint] = [endpoint(connection, path=f"e{n}") for n in range(500)]
    await rig.add(connection, *rows)
    revision = await rig.edit(Endpoint, rows[250].id, rows_max=7)
    async with rig.session() as session:
        row = await session.get(Revision, revision)
        assert row is not None
        assert len(row.delta) < 500
        assert len(await ledger.digests_changed(session, revision - 1, revision)) == 1


async def test_what_opens_under_none_of_the_keys_is_sealed_again(
    rig: Rig, store_urls: StoreUrls, redis_url: str
) -> None:
    connection = rig.connection()
    await rig.add(connection, endpoint(connection))
    assert await rig.parts.renewal.reseal_unopened() == 0
    replaced = Rig(store_urls.app, redis_url, msgspec.structs.replace(rig.keys, seal=new_fernet_key()))
    assert await replaced.parts.renewal.reseal_unopened() == 1
    assert await replaced.parts.renewal.reseal_unopened() == 0
    assert await replaced.publishing.head() == 2
    await replaced.close()


async def test_nothing_touched_means_no_revision(rig: Rig) -> None:
    async with rig.publishing.change(ADMIN) as change:
        assert isinstance(change, Change)
        change.touch(SpecKind.ENDPOINT, str(uuid.uuid4()))
    assert change.revision == 0
