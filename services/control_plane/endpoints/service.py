"""Saving and deleting endpoints.

The statement is checked and described before the publish lock is taken (the database may take seconds to answer). If
the endpoint or its connection was changed meanwhile, the save begins again on what is stored then.
"""

from datetime import datetime

from msgspec import Struct

from control_plane.actors import Actor
from control_plane.endpoints.definition import (
    HARMLESS_FIELDS,
    Definition,
    bind_problems,
    changed_fields,
    definition_of,
    merged,
    problems_of,
    with_lower_binds,
    write,
)
from control_plane.endpoints.probing import Probes
from control_plane.endpoints.statements import checked
from control_plane.endpoints.views import EndpointCreate, EndpointUpdate
from control_plane.input.kinds import new_id, uuid_or_none
from control_plane.publishing.change import Change
from control_plane.publishing.references import SCHEDULED
from control_plane.publishing.service import Publishing
from control_plane.roles import Role, require
from control_plane.sql_check import SqlChecker
from qg_core.errors import FieldProblem, InvalidInput, NotApplicable, NotFound
from qg_core.producers import snapshot_problems
from qg_core.specs import DataStrategy, SpecKind
from qg_store.engine import SessionFactory
from qg_store.models import Connection, Endpoint
from qg_store.repositories import auth_methods, connections, endpoints, job_runs, schedules, snapshots

ATTEMPTS_MAX = 4
_DESCRIBED_FIELDS = frozenset({"sql_text", "connection_id", "column_map"})


class Seen(Struct, frozen=True):
    """What a save was checked against: it must still be so when it is written."""

    endpoint_updated_at: datetime | None
    connection_updated_at: datetime


class Checked(Struct, frozen=True):
    """A definition that may be written, as long as `seen` is still what is stored."""

    definition: Definition
    seen: Seen
    warnings: tuple[str, ...]


class Saved(Struct, frozen=True):
    """A stored endpoint, the revision, and what the database said against its statement."""

    endpoint: Endpoint
    revision: int
    warnings: tuple[str, ...]


class Endpoints:
    def __init__(
        self, *, sessions: SessionFactory, publishing: Publishing, checker: SqlChecker, probes: Probes
    ) -> None:
        self._sessions = sessions
        self._publishing = publishing
        self._checker = checker
        self._probes = probes

    async def every(self, *, active_only: bool, public: bool | None) -> list[Endpoint]:
        """All by path, or those asked for."""
        async with self._sessions() as session:
            return await endpoints.every(session, active_only=active_only, public=public)

    async def one(self, endpoint_id: str) -> Endpoint:
        """One endpoint. Raises `NotFound`."""
        async with self._sessions() as session:
            return _found(await endpoints.by_id(session, endpoint_id))

    async def create(self, wanted: EndpointCreate, actor: Actor) -> Saved:
        """A new endpoint. Raises `InvalidInput`, `NameTaken`, `Forbidden`."""
        for _ in range(ATTEMPTS_MAX):
            proof = await self._check(wanted, None, actor)
            row = Endpoint(id=new_id())
            async with self._publishing.change(actor) as change:
                if await self._still(change, proof, None):
                    write(row, proof.definition)
                    await self._write(change, row, "create", f"created endpoint {row.name!r} at {row.path}")
                    saved = True
                else:
                    saved = False
            if saved:
                return Saved(row, change.revision, proof.warnings)
        raise _contended()

    async def update(self, endpoint_id: str, wanted: EndpointUpdate, actor: Actor) -> Saved:
        """Change what was given. Raises `NotFound`, `InvalidInput`, `NameTaken`, `Forbidden`."""
        for _ in range(ATTEMPTS_MAX):
            proof = await self._check(wanted, await self.one(endpoint_id), actor)
            async with self._publishing.change(actor) as change:
                row = _found(await endpoints.by_id(change.session, endpoint_id))
                if await self._still(change, proof, row):
                    write(row, proof.definition)
                    await self._write(change, row, "update", f"changed endpoint {row.name!r} at {row.path}")
                    saved = True
                else:
                    saved = False
            if saved:
                return Saved(row, change.revision, proof.warnings)
        raise _contended()

    async def delete(self, endpoint_id: str, actor: Actor) -> int:
        """Remove, with its schedule and its snapshots; runs that wait become `skipped`. Raises `NotFound`."""
        async with self._publishing.change(actor) as change:
            row = _found(await endpoints.by_id(change.session, endpoint_id))
            await _forget_runs(change, endpoint_id)
            await endpoints.delete(change.session, row)
            change.touch(SpecKind.ENDPOINT, endpoint_id)
            change.audit("delete", "endpoint", endpoint_id, f"deleted endpoint {row.name!r} at {row.path}")
        return change.revision

    async def _check(self, wanted: EndpointCreate | EndpointUpdate, stored: Endpoint | None, actor: Actor) -> Checked:
        """Everything that can be wrong with the merged definition, all at once."""
        before = definition_of(stored) if stored is not None else None
        problems: list[FieldProblem] = []
        definition = with_lower_binds(merged(wanted, before), problems)
        changed = changed_fields(before, definition)
        if definition.allow_unauthenticated and not changed <= HARMLESS_FIELDS:
            require(actor.role, Role.ADMIN, "An endpoint with allow_unauthenticated")
        problems += problems_of(definition)
        connection = await self._referred(definition, problems)
        if stored is not None and definition.data_strategy is not DataStrategy.SNAPSHOT:
            problems += await self._broken_schedule(stored, definition)
        functions = connection.allowed_functions if connection is not None else ()
        facts = await checked(self._checker, definition.sql_text, functions, problems)
        if facts is not None:
            problems += bind_problems(facts.binds, definition.param_schema)
        if problems or connection is None:
            raise InvalidInput(problems)
        warnings: tuple[str, ...] = ()
        if connection.is_active and changed & _DESCRIBED_FIELDS:
            verdict = await self._probes.verdict(connection, definition.sql_text, definition.column_map)
            if verdict.duplicate_columns:
                raise InvalidInput(
                    [FieldProblem("column_map", "the statement returns two columns of the same name; rename one")]
                )
            warnings = verdict.warnings
        seen = Seen(stored.updated_at if stored is not None else None, connection.updated_at)
        return Checked(definition, seen, warnings)

    async def _referred(self, definition: Definition, problems: list[FieldProblem]) -> Connection | None:
        """The connection; that it and the auth method exist."""
        async with self._sessions() as session:
            connection = None
            if uuid_or_none(definition.connection_id) is not None:
                connection = await connections.by_id(session, definition.connection_id)
            if connection is None:
                problems.append(FieldProblem("connection_id", "there is no such connection"))
            method_id = definition.auth_method_id
            if method_id is not None and (
                uuid_or_none(method_id) is None or await auth_methods.by_id(session, method_id) is None
            ):
                problems.append(FieldProblem("auth_method_id", "there is no such auth method"))
        return connection

    async def _broken_schedule(self, stored: Endpoint, definition: Definition) -> list[FieldProblem]:
        """What keeps the endpoint's schedule from running. Publishing looks again; here it joins all other problems."""
        found = snapshot_problems(definition.param_schema)
        if not found:
            return []
        async with self._sessions() as session:
            if await schedules.by_endpoint(session, stored.id) is None:
                return []
        return [FieldProblem(f"param_schema.{problem.field}", f"{SCHEDULED}: {problem.message}") for problem in found]

    async def _still(self, change: Change, proof: Checked, row: Endpoint | None) -> bool:
        """Whether what was checked is what is stored now, under the lock. Raises `InvalidInput` when it is gone."""
        connection = await connections.by_id(change.session, proof.definition.connection_id)
        method_id = proof.definition.auth_method_id
        if connection is None:
            raise InvalidInput([FieldProblem("connection_id", "there is no such connection")])
        if method_id is not None and await auth_methods.by_id(change.session, method_id) is None:
            raise InvalidInput([FieldProblem("auth_method_id", "there is no such auth method")])
        stored_at = row.updated_at if row is not None else None
        return (stored_at, connection.updated_at) == (
            proof.seen.endpoint_updated_at,
            proof.seen.connection_updated_at,
        )

    async def _write(self, change: Change, row: Endpoint, action: str, summary: str) -> None:
        await endpoints.save(change.session, row)
        change.touch(SpecKind.ENDPOINT, row.id)
        change.audit(action, "endpoint", row.id, summary)


async def _forget_runs(change: Change, endpoint_id: str) -> None:
    """The schedule goes with the endpoint's row; what hangs on neither goes here."""
    schedule = await schedules.by_endpoint(change.session, endpoint_id)
    if schedule is not None:
        await schedules.locked(change.session, schedule.id)
        await job_runs.cancel_queued(change.session, schedule.id, "The endpoint was deleted.")
    await snapshots.delete_of(change.session, endpoint_id)


def _found(row: Endpoint | None) -> Endpoint:
    if row is None:
        raise NotFound("There is no such endpoint.")
    return row


def _contended() -> NotApplicable:
    return NotApplicable("The endpoint or its connection keeps being changed by somebody else; try again.")
