"""Checking what refers to a change: an endpoint that another row's change would break is a problem of that change."""

from collections.abc import Collection, Sequence
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.publishing.change import Change
from qg_core.errors import FieldProblem
from qg_core.producers import snapshot_problems
from qg_core.specs import SpecKind
from qg_store.models import Connection, Endpoint, Schedule

PROBLEMS_MAX = 50
SCHEDULED = "the endpoint has a schedule"


class StatementCheck(Protocol):
    async def __call__(self, sql_text: str, allowed_functions: Collection[str]) -> Sequence[FieldProblem]:
        """What the SQL policy says against a statement."""
        ...


async def reference_problems(change: Change, statement_check: StatementCheck | None) -> list[FieldProblem]:
    """Everything that the touched rows break elsewhere, at most `PROBLEMS_MAX`."""
    problems: list[FieldProblem] = []
    for connection_id in sorted(change.recheck_statements_of):
        problems += await _statements_of(change.session, connection_id, statement_check)
    problems += await _parameters_of(change)
    problems += await _scheduled_without_defaults(change)
    return problems[:PROBLEMS_MAX]


async def _statements_of(
    session: AsyncSession, connection_id: str, statement_check: StatementCheck | None
) -> list[FieldProblem]:
    connection = await session.get(Connection, connection_id)
    if connection is None or statement_check is None:
        return []
    rows = await session.scalars(
        select(Endpoint).where(Endpoint.connection_id == connection_id).order_by(Endpoint.path)
    )
    problems: list[FieldProblem] = []
    for endpoint in rows:
        found = await statement_check(endpoint.sql_text, connection.allowed_functions)
        problems += [
            FieldProblem("allowed_functions", f"endpoint {endpoint.name!r}: {problem.message}") for problem in found
        ]
        if len(problems) >= PROBLEMS_MAX:
            break
    return problems


async def _parameters_of(change: Change) -> list[FieldProblem]:
    """An optional bind needs a default: nodes would bind nothing. The last look before it is published."""
    ids = [key.id for key in change.touched if key.kind == SpecKind.ENDPOINT]
    problems: list[FieldProblem] = []
    for start in range(0, len(ids), 500):
        rows = await change.session.scalars(select(Endpoint).where(Endpoint.id.in_(ids[start : start + 500])))
        for endpoint in rows:
            problems += [
                FieldProblem(f"param_schema.{name}.default", "an optional parameter needs a default")
                for name, parameter in endpoint.param_schema.items()
                if not parameter.required and parameter.default is None
            ]
    return problems


async def _scheduled_without_defaults(change: Change) -> list[FieldProblem]:
    """A scheduled endpoint runs without a caller: every parameter needs a default, as when it was scheduled."""
    ids = [key.id for key in change.touched if key.kind == SpecKind.ENDPOINT]
    problems: list[FieldProblem] = []
    for start in range(0, len(ids), 500):
        scheduled = (
            select(Endpoint)
            .join(Schedule, Schedule.endpoint_id == Endpoint.id)
            .where(Endpoint.id.in_(ids[start : start + 500]))
        )
        for endpoint in await change.session.scalars(scheduled):
            problems += [
                FieldProblem(f"param_schema.{problem.field}", f"{SCHEDULED}: {problem.message}")
                for problem in snapshot_problems(endpoint.param_schema)
            ]
    return problems
