"""Saving, deleting and testing connections."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import UNSET

from control_plane.actors import Actor
from control_plane.connections.place import Place, merged_place, place_of
from control_plane.connections.targets import seal_secret, secret_of, target_of_row
from control_plane.connections.views import ConnectionCreate, ConnectionUpdate
from control_plane.input.kinds import new_id
from control_plane.publishing.change import Change
from control_plane.publishing.service import Publishing
from control_plane.roles import Role, require
from qg_core.errors import FieldProblem, InvalidInput, NotFound, StillInUse
from qg_core.specs import ConnectionSecret, SpecKind
from qg_oracle.describe import TestReport, try_connection
from qg_oracle.tls import tls_context
from qg_security.sealing import Sealer
from qg_store.engine import SessionFactory
from qg_store.models import AuditEntry, Connection
from qg_store.repositories import audit_log, connections

TESTS_RUNNING_MAX = 4
TEST_TIMEOUT_S = 30.0
NAMES_SHOWN_MAX = 5

THICK_REFUSED = "only thin is offered: the driver's thick mode is per process and has no asyncio (docs/adr/0004)"


class Connections:
    def __init__(
        self,
        *,
        sessions: SessionFactory,
        publishing: Publishing,
        sealer: Sealer,
        hosts_allowed: Sequence[str],
        on_changed: Callable[[str], None],
    ) -> None:
        """`on_changed` is told the id of a connection that was changed or deleted."""
        self._sessions = sessions
        self._publishing = publishing
        self._sealer = sealer
        self._hosts_allowed = tuple(hosts_allowed)
        self._on_changed = on_changed
        self._tests = asyncio.Semaphore(TESTS_RUNNING_MAX)

    async def every(self, *, active_only: bool) -> list[Connection]:
        """All, or all active ones, by name."""
        async with self._sessions() as session:
            return await connections.every(session, active_only=active_only)

    async def one(self, connection_id: str) -> Connection:
        """One connection. Raises `NotFound`."""
        async with self._sessions() as session:
            return _found(await connections.by_id(session, connection_id))

    async def create(self, wanted: ConnectionCreate, actor: Actor) -> tuple[Connection, int]:
        """A new connection and the revision. Raises `InvalidInput`, `NameTaken`, `Forbidden`."""
        if wanted.allowed_functions:
            require(actor.role, Role.ADMIN, "Allowing functions")
        problems: list[FieldProblem] = []
        place = merged_place(wanted, None, self._hosts_allowed, problems)
        _check_rest(wanted.mode, wanted.pool_min, wanted.pool_max, wanted.wallet, problems)
        if problems or place is None:
            raise InvalidInput(problems)
        row = Connection(id=new_id(), name=wanted.name.strip(), description=wanted.description)
        _put_place(row, place)
        row.server_dn, row.username = wanted.server_dn, wanted.username
        row.sealed = seal_secret(row.id, ConnectionSecret(wanted.password, wanted.wallet), self._sealer)
        row.has_wallet = wanted.wallet is not None
        row.pool_min, row.pool_max = wanted.pool_min, wanted.pool_max
        row.pool_timeout_s, row.query_timeout_s = wanted.pool_timeout, wanted.query_timeout
        row.allowed_functions, row.is_active = wanted.allowed_functions, wanted.is_active
        async with self._publishing.change(actor) as change:
            await connections.save(change.session, row)
            change.touch(SpecKind.CONNECTION, row.id)
            change.audit("create", "connection", row.id, f"created connection {row.name!r}")
        return row, change.revision

    async def update(self, connection_id: str, wanted: ConnectionUpdate, actor: Actor) -> tuple[Connection, int]:
        """Change what was given. Raises `NotFound`, `InvalidInput`, `NameTaken`, `Forbidden`."""
        async with self._publishing.change(actor) as change:
            row = _found(await connections.by_id(change.session, connection_id))
            narrowed = self._apply(row, wanted, actor)
            await connections.save(change.session, row)
            change.touch(SpecKind.CONNECTION, row.id, recheck_statements=narrowed)
            change.audit("update", "connection", row.id, f"changed connection {row.name!r}")
        self._on_changed(connection_id)
        return row, change.revision

    async def delete(self, connection_id: str, actor: Actor) -> int:
        """Remove. Raises `NotFound`, `StillInUse` while endpoints use it."""
        async with self._publishing.change(actor) as change:
            row = _found(await connections.by_id(change.session, connection_id))
            await _refuse_if_used(change, connection_id)
            await connections.delete(change.session, row)
            change.touch(SpecKind.CONNECTION, connection_id)
            change.audit("delete", "connection", connection_id, f"deleted connection {row.name!r}")
        self._on_changed(connection_id)
        return change.revision

    async def test(self, connection_id: str, actor: Actor) -> TestReport:
        """Sign in once and look around. Raises `NotFound`; a failed test is a report, not an error."""
        target = target_of_row(await self.one(connection_id), self._sealer)
        async with self._tests:
            report = await try_connection(target, self._hosts_allowed, TEST_TIMEOUT_S)
        async with self._sessions.begin() as session:
            await audit_log.add(
                session,
                AuditEntry(
                    actor=actor.username,
                    actor_id=actor.admin_id,
                    action="test",
                    subject_kind="connection",
                    subject_id=connection_id,
                    summary="test succeeded" if report.success else "test failed",
                    request_id=actor.request_id,
                    remote_ip=actor.remote_ip,
                ),
            )
        return report

    def _apply(self, row: Connection, wanted: ConnectionUpdate, actor: Actor) -> bool:
        """Write the merged state into the row; whether functions were taken off the allowed ones."""
        problems: list[FieldProblem] = []
        before = (place_of(row), row.username, row.server_dn)
        functions_before = set(row.allowed_functions)
        if wanted.allowed_functions is not UNSET and set(wanted.allowed_functions) != functions_before:
            require(actor.role, Role.ADMIN, "Allowing functions")
            row.allowed_functions = wanted.allowed_functions
        place = merged_place(wanted, before[0], self._hosts_allowed, problems)
        for field, column in _PLAIN_FIELDS.items():
            value = getattr(wanted, field)
            if value is not UNSET:
                setattr(row, column, value.strip() if field == "name" else value)
        wallet = None if wanted.wallet is UNSET else wanted.wallet
        mode = "thin" if wanted.mode is UNSET else wanted.mode
        _check_rest(mode, row.pool_min, row.pool_max, wallet, problems)
        if place is not None:
            _put_place(row, place)
            leads_elsewhere = (place_of(row), row.username, row.server_dn) != before or wanted.wallet is not UNSET
            if leads_elsewhere and wanted.password is UNSET:
                # Else whoever gets hold of an editor's or admin's token has the stored password sent to his own server.
                problems.append(FieldProblem("password", "must be entered again when the connection leads elsewhere"))
        if problems:
            raise InvalidInput(problems)
        if wanted.password is not UNSET or wanted.wallet is not UNSET:
            old = secret_of(row, self._sealer)
            secret = ConnectionSecret(
                old.password if wanted.password is UNSET else wanted.password,
                old.wallet if wanted.wallet is UNSET else wanted.wallet,
            )
            row.sealed, row.has_wallet = seal_secret(row.id, secret, self._sealer), secret.wallet is not None
        return bool(functions_before - set(row.allowed_functions))


_PLAIN_FIELDS = {
    "name": "name",
    "description": "description",
    "username": "username",
    "server_dn": "server_dn",
    "pool_min": "pool_min",
    "pool_max": "pool_max",
    "pool_timeout": "pool_timeout_s",
    "query_timeout": "query_timeout_s",
    "is_active": "is_active",
}


def _put_place(row: Connection, place: Place) -> None:
    row.from_dsn, row.addresses = place.from_dsn, place.addresses
    row.load_balance, row.failover = place.load_balance, place.failover
    row.service_name, row.sid = place.service_name, place.sid


def _check_rest(mode: str, pool_min: int, pool_max: int, wallet: str | None, problems: list[FieldProblem]) -> None:
    if mode != "thin":
        problems.append(FieldProblem("mode", THICK_REFUSED if mode == "thick" else "must be thin"))
    if pool_min > pool_max:
        problems.append(FieldProblem("pool_min", "must not be larger than pool_max"))
    if wallet is not None:
        try:
            tls_context(wallet)
        except ValueError as error:
            problems.append(FieldProblem("wallet", str(error)))


async def _refuse_if_used(change: Change, connection_id: str) -> None:
    names = await connections.endpoint_names(change.session, connection_id, NAMES_SHOWN_MAX + 1)
    if names:
        shown = ", ".join(repr(name) for name in names[:NAMES_SHOWN_MAX])
        more = " and more" if len(names) > NAMES_SHOWN_MAX else ""
        raise StillInUse(f"Endpoints still use this connection: {shown}{more}.")


def _found(row: Connection | None) -> Connection:
    if row is None:
        raise NotFound("There is no such connection.")
    return row
