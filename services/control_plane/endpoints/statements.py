"""A statement against the SQL policy, as problems of the field it came in."""

from collections.abc import Collection, Sequence

from control_plane.sql_check import SqlChecker
from qg_core.errors import FieldProblem
from qg_core.sql_policy import SqlFacts, SqlRefused


async def checked(
    checker: SqlChecker, sql_text: str, allowed_functions: Collection[str], problems: list[FieldProblem]
) -> SqlFacts | None:
    """What the statement names; null, with the problems added, when the policy refuses it. Raises `SqlCheckBusy`."""
    try:
        return await checker.check(sql_text, frozenset(allowed_functions))
    except SqlRefused as refused:
        problems += [
            FieldProblem("sql_text", f"line {found.line}, column {found.column}: {found.message}")
            for found in refused.problems
        ]
        return None


class PolicyCheck:
    """The same for publishing, which checks again what a narrower connection would break."""

    def __init__(self, checker: SqlChecker) -> None:
        self._checker = checker

    async def __call__(self, sql_text: str, allowed_functions: Collection[str]) -> Sequence[FieldProblem]:
        problems: list[FieldProblem] = []
        await checked(self._checker, sql_text, allowed_functions, problems)
        return problems
