"""Rolling back brings definitions back under a new number; what protects something never rolls back."""

from collections.abc import Collection, Sequence

import pytest
from sqlalchemy import select

from qg_core.errors import FieldProblem, NotFound
from qg_core.revisions import SubjectKey
from qg_core.specs import ConnectionSecret, ConnectionSpec, EndpointSpec, SpecKind, decode_spec, sealed_row
from qg_store.models import AuditEntry, AuthMethod, Connection, Credential, Endpoint
from qg_store.repositories import publishing as ledger
from tests.fixtures.store import StoreUrls
from tests.integration.publishing.rig import ADMIN, Rig, endpoint


async def published(rig: Rig) -> dict[SubjectKey, object]:
    async with rig.session() as session:
        manifest = await ledger.manifest(session)
        rows = await ledger.published(session, list(manifest))
    return {key: decode_spec(row.body) for key, row in rows.items()}


async def endpoints(rig: Rig) -> dict[str, EndpointSpec]:
    return {spec.path: spec for spec in (await published(rig)).values() if isinstance(spec, EndpointSpec)}


async def test_old_definitions_return_under_a_new_revision(rig: Rig) -> None:
    connection, method = rig.connection(), rig.api_key_method()
    one, two = endpoint(connection, method, "one"), endpoint(connection, method, "two")
    then = await rig.add(connection, method, one, two)
    before = await published(rig)
    await rig.edit(Endpoint, one.id, sql_text="select 2 as two from dual", rows_max=5)
    await rig.remove(Endpoint, two.id)
    await rig.add(endpoint(connection, method, "three"))
    outcome = await rig.parts.rollback.to(then, ADMIN)
    assert outcome.revision == 5
    assert outcome.left_out == ()
    assert await published(rig) == before
    async with rig.session() as session:
        (entry,) = list(await session.scalars(select(AuditEntry)))
        assert (entry.action, entry.subject_id, entry.revision) == ("rollback", str(then), 5)
        row = (await session.scalars(select(Endpoint).where(Endpoint.path == "three"))).one()
        assert not row.is_active, "made since: switched off, not lost"


async def test_rolling_back_to_the_present_changes_nothing(rig: Rig) -> None:
    connection = rig.connection()
    head = await rig.add(connection, endpoint(connection))
    assert (await rig.parts.rollback.to(head, ADMIN)).revision == head


async def test_an_unknown_revision(rig: Rig) -> None:
    await rig.add(rig.connection())
    with pytest.raises(NotFound):
        await rig.parts.rollback.to(77, ADMIN)


async def test_swapped_paths_return(rig: Rig) -> None:
    connection = rig.connection()
    one, two = endpoint(connection, path="one"), endpoint(connection, path="two")
    then = await rig.add(connection, one, two)
    await rig.edit(Endpoint, one.id, path="aside", name="aside")
    await rig.edit(Endpoint, two.id, path="one", name="one")
    await rig.edit(Endpoint, one.id, path="two", name="two")
    assert (await rig.parts.rollback.to(then, ADMIN)).left_out == ()
    found = await endpoints(rig)
    assert (found["one"].id, found["two"].id) == (one.id, two.id)


async def test_a_path_taken_since_is_given_back(rig: Rig) -> None:
    connection = rig.connection()
    one = endpoint(connection, path="one")
    then = await rig.add(connection, one)
    await rig.remove(Endpoint, one.id)
    newer = endpoint(connection, path="one")
    await rig.add(newer)
    await rig.parts.rollback.to(then, ADMIN)
    found = await endpoints(rig)
    assert {path: spec.id for path, spec in found.items()} == {"one": one.id}


async def test_passwords_credentials_and_revocations_stay(rig: Rig) -> None:
    connection, method = rig.connection(), rig.api_key_method()
    kept, revoked = rig.credential(method, "kept"), rig.credential(method, "revoked")
    then = await rig.add(connection, method, kept, revoked, endpoint(connection, method))
    token = rig.at_rest.seal(sealed_row(SpecKind.CONNECTION, connection.id), ConnectionSecret("new-password"))
    await rig.edit(Connection, connection.id, sealed=token, pool_max=50)
    await rig.remove(Credential, revoked.id)
    added = rig.credential(method, "added")
    await rig.add(added)
    await rig.parts.rollback.to(then, ADMIN)
    found = await published(rig)
    credentials = {key.id for key in found if key.kind == "credential"}
    assert credentials == {kept.id, added.id}
    spec = found[SubjectKey("connection", connection.id)]
    assert isinstance(spec, ConnectionSpec)
    assert spec.pool_max == 5
    secret = rig.seal.open(sealed_row(SpecKind.CONNECTION, connection.id), spec.sealed, ConnectionSecret)
    assert secret.password == "new-password"


async def test_a_password_is_never_sent_elsewhere(rig: Rig) -> None:
    connection = rig.connection()
    then = await rig.add(connection)
    await rig.edit(Connection, connection.id, service_name="OTHER")
    outcome = await rig.parts.rollback.to(then, ADMIN)
    assert "led elsewhere" in outcome.left_out[0]
    spec = (await published(rig))[SubjectKey("connection", connection.id)]
    assert isinstance(spec, ConnectionSpec)
    assert spec.service_name == "OTHER"


async def test_a_deleted_or_closed_method_stays_so(rig: Rig) -> None:
    connection, method, closed = rig.connection(), rig.api_key_method(), rig.api_key_method("closed")
    row, other = endpoint(connection, method, "one"), endpoint(connection, closed, "two")
    then = await rig.add(connection, method, closed, row, other)
    await rig.edit(Endpoint, row.id, auth_method_id=None, allow_unauthenticated=False)
    await rig.remove(AuthMethod, method.id)
    await rig.edit(AuthMethod, closed.id, is_active=False)
    outcome = await rig.parts.rollback.to(then, ADMIN)
    assert len(outcome.left_out) == 3
    found = await endpoints(rig)
    assert (found["one"].auth_method_id, found["one"].allow_unauthenticated) == (None, False)
    assert not any(key.kind == "auth_method" for key in await published(rig))


async def test_an_endpoint_of_a_deleted_connection_is_left_out(rig: Rig) -> None:
    connection = rig.connection()
    row = endpoint(connection)
    then = await rig.add(connection, row)
    await rig.remove(Endpoint, row.id)
    await rig.remove(Connection, connection.id)
    outcome = await rig.parts.rollback.to(then, ADMIN)
    assert [line.split(" ", 1)[0] for line in outcome.left_out] == ["connection", "endpoint"]
    assert await published(rig) == {}


async def test_a_statement_is_held_to_todays_policy(store_urls: StoreUrls, redis_url: str) -> None:
    async def check(sql_text: str, allowed_functions: Collection[str]) -> Sequence[FieldProblem]:
        refused = "f(" in sql_text and "f" not in allowed_functions
        return [FieldProblem("sql_text", "calls f")] if refused else []

    rig = Rig(store_urls.app, redis_url, statement_check=check)
    connection = rig.connection()
    connection.allowed_functions = ("f",)
    row = endpoint(connection, sql_text="select f(1) from dual")
    then = await rig.add(connection, row)
    await rig.edit(Endpoint, row.id, sql_text="select 1 from dual")
    await rig.edit(Connection, connection.id, allowed_functions=())
    outcome = await rig.parts.rollback.to(then, ADMIN)
    assert "refused today: calls f" in outcome.left_out[0]
    assert (await endpoints(rig))["orders"].sql_text == "select 1 from dual"
    await rig.close()
