"""Trying a statement out: the policy first, then the database, within 30 s and 1 MiB; every attempt is audited."""

import math
import time
from collections.abc import Mapping

import msgspec

from control_plane.actors import Actor
from control_plane.endpoints.probing import Probes
from control_plane.endpoints.statements import checked
from control_plane.endpoints.views import PreviewAnswerRaw, PreviewRequest
from control_plane.input.kinds import uuid_or_none
from control_plane.sql_check import SqlChecker
from qg_core.errors import ConnectionUnavailable, FieldProblem, GatewayError, InvalidInput
from qg_oracle.deadlines import Deadline
from qg_oracle.describe import preview
from qg_oracle.execute import ResultStream
from qg_oracle.statements import Statement, make_tags
from qg_oracle.values import output_names
from qg_store.engine import SessionFactory
from qg_store.models import AuditEntry, Connection
from qg_store.repositories import audit_log, connections

PREVIEW_TIMEOUT_MS = 30_000
PREVIEW_BYTES_MAX = 1_048_576
NUMBER_MAGNITUDE_MAX = 1e126
"""Oracle's NUMBER ends here; the driver's own error for more comes too late."""

INTEGER_DIGITS_MAX = 38

BindValue = str | int | float | None


class Previews:
    def __init__(self, *, sessions: SessionFactory, checker: SqlChecker, probes: Probes) -> None:
        self._sessions = sessions
        self._checker = checker
        self._probes = probes

    async def run(self, wanted: PreviewRequest, actor: Actor) -> PreviewAnswerRaw:
        """Columns and first rows. Raises `InvalidInput`, `QueryRefused`, and the 503s of a database that is away."""
        problems: list[FieldProblem] = []
        connection = await self._connection(wanted.connection_id, problems)
        functions = connection.allowed_functions if connection is not None else ()
        facts = await checked(self._checker, wanted.sql_text, functions, problems)
        binds = _binds(wanted.params, facts.binds if facts is not None else None, problems)
        if problems or connection is None or facts is None:
            raise InvalidInput(problems)
        if not connection.is_active:
            raise ConnectionUnavailable("The connection is inactive.")
        started = time.perf_counter()
        outcome = "failed"
        try:
            stream, body = await self._rows(connection, wanted, binds, actor)
            outcome = f"{stream.row_count} rows"
        except GatewayError as error:
            outcome = error.code
            raise
        finally:
            await self._audit(connection, wanted, actor, outcome)
        return PreviewAnswerRaw(
            columns=output_names(stream.columns, {}),
            rows=msgspec.Raw(body),
            row_count=stream.row_count,
            bind_params=facts.binds,
            duration_ms=round((time.perf_counter() - started) * 1_000, 1),
            truncated=stream.truncated,
        )

    async def _connection(self, connection_id: str, problems: list[FieldProblem]) -> Connection | None:
        identity = uuid_or_none(connection_id)
        found = None
        if identity is not None:
            async with self._sessions() as session:
                found = await connections.by_id(session, identity)
        if found is None:
            problems.append(FieldProblem("connection_id", "there is no such connection"))
        return found

    async def _rows(
        self, connection: Connection, wanted: PreviewRequest, binds: Mapping[str, BindValue], actor: Actor
    ) -> tuple[ResultStream, bytes]:
        statement = Statement(wanted.sql_text, rows_max=wanted.max_rows, bytes_max=PREVIEW_BYTES_MAX)
        deadline = Deadline.after_ms(min(PREVIEW_TIMEOUT_MS, connection.query_timeout_s * 1_000))
        tags = make_tags(f"admin:{actor.username}", "preview", actor.request_id or "")
        stream = await preview(self._probes.pool(connection), statement, binds, deadline, tags)
        try:
            chunks = [chunk async for chunk in stream]
        finally:
            stream.close()
        return stream, b"[" + b"".join(chunks) + b"]"

    async def _audit(self, connection: Connection, wanted: PreviewRequest, actor: Actor, outcome: str) -> None:
        # The whole statement (64 KiB at most): a cut one could begin with a long comment and hide what was read.
        async with self._sessions.begin() as session:
            await audit_log.add(
                session,
                AuditEntry(
                    actor=actor.username,
                    actor_id=actor.admin_id,
                    action="preview",
                    subject_kind="connection",
                    subject_id=connection.id,
                    summary=f"previewed a statement on {connection.name!r} ({outcome}): {wanted.sql_text}",
                    request_id=actor.request_id,
                    remote_ip=actor.remote_ip,
                ),
            )


def _binds(
    params: Mapping[str, str | int | float | bool | None], names: tuple[str, ...] | None, problems: list[FieldProblem]
) -> dict[str, BindValue]:
    """A value for every bind; NULL where none was given."""
    given: dict[str, BindValue] = {}
    for name, value in params.items():
        lowered = name.lower() if name.isascii() else name
        if names is not None and lowered not in names:
            problems.append(FieldProblem(f"params.{name}", "the statement has no such bind"))
        elif lowered in given:
            problems.append(FieldProblem(f"params.{name}", "is given twice: binds are case-insensitive"))
        elif wrong := _value_problem(value):
            problems.append(FieldProblem(f"params.{name}", wrong))
        else:
            given[lowered] = int(value) if isinstance(value, bool) else value
    return {name: given.get(name) for name in names or ()}


def _value_problem(value: str | int | float | bool | None) -> str | None:
    if isinstance(value, float) and not (math.isfinite(value) and abs(value) < NUMBER_MAGNITUDE_MAX):
        return "is too large for an Oracle NUMBER"
    if isinstance(value, int) and abs(value) >= 10**INTEGER_DIGITS_MAX:
        return f"may have at most {INTEGER_DIGITS_MAX} digits"
    return None
