"""Rolling back: the definitions of an old revision, saved again and published under a new one.

Only definitions return: endpoints, and of connections and auth methods what is no secret. Credentials, secrets,
passwords, revocations and admins never roll back, and nothing that is gone from Postgres comes back to life: an old
endpoint whose connection no longer exists is left out and named.
"""

import msgspec
from sqlalchemy import select

from control_plane.actors import Actor
from control_plane.publishing.change import Change
from control_plane.publishing.references import StatementCheck
from control_plane.publishing.service import Publishing
from qg_core.errors import NotFound
from qg_core.producers import snapshot_problems
from qg_core.revisions import SubjectKey
from qg_core.specs import (
    AuthMethodSpec,
    ConnectionSpec,
    EndpointSpec,
    Spec,
    SpecKind,
    SpecUnreadable,
    decode_spec,
)
from qg_store.models import AuthMethod, Connection, Endpoint, Schedule
from qg_store.repositories import publishing as ledger

DEFINITION_KINDS = (SpecKind.ENDPOINT, SpecKind.CONNECTION, SpecKind.AUTH_METHOD)


class RolledBack(msgspec.Struct, frozen=True):
    """The new revision (the head when nothing differs), and what could not be brought back, one sentence each."""

    revision: int
    left_out: tuple[str, ...]


class Rollback:
    """What `POST /revisions/{n}/rollback` calls."""

    def __init__(self, publishing: Publishing, statement_check: StatementCheck | None) -> None:
        self._publishing = publishing
        self._statement_check = statement_check

    async def to(self, revision: int, actor: Actor) -> RolledBack:
        """Publish the definitions of `revision` again. Raises `NotFound` and what `Publishing.change` raises."""
        async with self._publishing.change(actor) as change:
            if not await ledger.revision_exists(change.session, revision):
                raise NotFound(f"There is no revision {revision}.")
            then = await ledger.definitions_at(change.session, revision, [kind.value for kind in DEFINITION_KINDS])
            left_out: list[str] = []
            specs: dict[SubjectKey, Spec] = {}
            async for batch in ledger.specs(change.session, sorted(set(then.values()))):
                for row in batch:
                    try:
                        specs[SubjectKey(row.kind, row.subject_id)] = decode_spec(row.body)
                    except SpecUnreadable:
                        left_out.append(f"{row.kind} {row.subject_id} is of a format that is no longer known")
            await _restore_connections(change, specs, left_out)
            await _restore_auth_methods(change, specs, left_out)
            await _restore_endpoints(change, specs, left_out, self._statement_check)
            change.audit("rollback", "revision", str(revision), f"Rolled back to the definitions of {revision}.")
        return RolledBack(change.revision, tuple(left_out))


async def _restore_connections(change: Change, specs: dict[SubjectKey, Spec], left_out: list[str]) -> None:
    rows = {row.id: row for row in await change.session.scalars(select(Connection))}
    for spec in specs.values():
        if not isinstance(spec, ConnectionSpec):
            continue
        row = rows.get(spec.id)
        if row is None:
            left_out.append(f"connection {spec.name!r} was deleted; its password is gone with it")
        elif _place_of(row) != _place_of(spec):
            # A password belongs to the place and user it was entered for; it is never sent elsewhere by a rollback.
            left_out.append(f"connection {spec.name!r} led elsewhere then; enter its password to change it back")
        else:
            row.load_balance, row.failover = spec.load_balance, spec.failover
            row.pool_min, row.pool_max = spec.pool_min, spec.pool_max
            row.pool_timeout_s, row.query_timeout_s = spec.pool_timeout_s, spec.query_timeout_s
            row.is_active = True
            _touch_if_changed(change, SpecKind.CONNECTION, row)
    for row in rows.values():
        if row.is_active and SubjectKey(SpecKind.CONNECTION.value, row.id) not in specs:
            row.is_active = False
            change.touch(SpecKind.CONNECTION, row.id)


async def _restore_auth_methods(change: Change, specs: dict[SubjectKey, Spec], left_out: list[str]) -> None:
    """A method that was made or taken away since stays as it is: switching one off or on is a revocation's business."""
    rows = {row.id: row for row in await change.session.scalars(select(AuthMethod))}
    for spec in specs.values():
        if not isinstance(spec, AuthMethodSpec):
            continue
        row = rows.get(spec.id)
        if row is None:
            left_out.append(f"auth method {spec.name!r} was deleted; its secrets are gone with it")
        elif not row.is_active:
            left_out.append(f"auth method {spec.name!r} was switched off since and stays so")


async def _restore_endpoints(
    change: Change, specs: dict[SubjectKey, Spec], left_out: list[str], statement_check: StatementCheck | None
) -> None:
    session = change.session
    rows = {row.id: row for row in await session.scalars(select(Endpoint))}
    connections = {row.id: row for row in await session.scalars(select(Connection))}
    methods = set(await session.scalars(select(AuthMethod.id)))
    scheduled = set(await session.scalars(select(Schedule.endpoint_id)))
    wanted: dict[str, EndpointSpec] = {}
    kept: set[str] = set()
    for spec in specs.values():
        if not isinstance(spec, EndpointSpec):
            continue
        reason = await _obstacle(spec, rows.get(spec.id), connections, statement_check)
        if reason is None and spec.id in scheduled and snapshot_problems(spec.parameters):
            reason = "has a schedule, and parameters without defaults then"
        if reason is None:
            wanted[spec.id] = spec
        else:
            kept.add(spec.id)
            left_out.append(f"endpoint {spec.path!r} {reason}")
    await _free_names(change, rows, wanted, kept)
    for spec in wanted.values():
        row = rows.get(spec.id)
        if row is None:
            row = Endpoint(id=spec.id, description="")
            session.add(row)
        _write_endpoint(row, spec)
        if spec.auth_method_id is not None and spec.auth_method_id not in methods:
            # Closed, never public: its auth method is gone.
            row.auth_method_id, row.allow_unauthenticated = None, False
            left_out.append(f"endpoint {spec.path!r} lost its auth method, which was deleted, and answers 401")
        change.touch(SpecKind.ENDPOINT, spec.id)
    await session.flush()


async def _obstacle(
    spec: EndpointSpec,
    row: Endpoint | None,
    connections: dict[str, Connection],
    statement_check: StatementCheck | None,
) -> str | None:
    """Why an endpoint can't return to what it was; null when it can. A statement is held to today's policy."""
    connection = connections.get(spec.connection_id)
    if connection is None:
        return "needs a connection that was deleted"
    unchanged = row is not None and (row.sql_text, row.connection_id) == (spec.sql_text, spec.connection_id)
    if statement_check is None or unchanged:
        return None
    problems = await statement_check(spec.sql_text, connection.allowed_functions)
    return f"has a statement that is refused today: {problems[0].message}" if problems else None


async def _free_names(
    change: Change, rows: dict[str, Endpoint], wanted: dict[str, EndpointSpec], kept: set[str]
) -> None:
    """Names and paths are unique, and two endpoints may have swapped them: park those that change first.

    An endpoint that was not published then is switched off, unless it is in `kept`; if it stands where another one
    returns, it moves aside.
    """
    names = {spec.name: spec.id for spec in wanted.values()}
    paths = {spec.path: spec.id for spec in wanted.values()}
    for row in rows.values():
        spec = wanted.get(row.id)
        if spec is None and row.is_active and row.id not in kept:
            row.is_active = False
            change.touch(SpecKind.ENDPOINT, row.id)
        before = (row.name, row.path)
        if names.get(row.name, row.id) != row.id or (spec is not None and spec.name != row.name):
            row.name = f"{row.name[:200]} ({row.id})"
        if paths.get(row.path, row.id) != row.id or (spec is not None and spec.path != row.path):
            row.path = f"{row.path[:400].rstrip('/')}-{row.id}"
        if before != (row.name, row.path):
            change.touch(SpecKind.ENDPOINT, row.id)
    await change.session.flush()


def _write_endpoint(row: Endpoint, spec: EndpointSpec) -> None:
    row.name, row.path, row.version = spec.name, spec.path, spec.version
    row.connection_id, row.auth_method_id = spec.connection_id, spec.auth_method_id
    row.allow_unauthenticated = spec.allow_unauthenticated
    row.sql_text, row.param_schema, row.column_map = spec.sql_text, spec.parameters, spec.column_map
    row.data_strategy, row.numbers = spec.data_strategy.value, spec.numbers.value
    row.rows_max, row.bytes_max, row.timeout_ms = spec.rows_max, spec.bytes_max, spec.timeout_ms
    row.concurrency_max = spec.concurrency_max
    row.is_deprecated, row.deprecation_note = spec.is_deprecated, spec.deprecation_note
    row.is_active = True


def _place_of(side: Connection | ConnectionSpec) -> tuple[object, ...]:
    return (side.addresses, side.service_name, side.sid, side.server_dn, side.username)


def _touch_if_changed(change: Change, kind: SpecKind, row: Connection) -> None:
    if change.session.is_modified(row):
        change.touch(kind, row.id)
