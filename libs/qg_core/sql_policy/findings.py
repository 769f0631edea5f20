"""What the policy says about a statement: problems with a place and a stable rule name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from .listed import listed

PROBLEMS_MAX = 20
MESSAGE_CHARS_MAX = 300
# Every rule that a problem can name; docs/sql_policy.md explains each.
RULES = listed(
    """
    adjacent bind character comment concatenation control_character database_link ddl disagreement dml empty environment
    for_update forbidden_function function hint literal literal_prefix method_call nesting node package_call pivot plsql
    positional_bind quoted_name reserved_alias root select_into semicolon sequence size symbol syntax table_function
    table_name template time type
    """
)


class Finding(NamedTuple):
    """A rule that a statement breaks, at a character offset of its text (0-based)."""

    offset: int
    rule: str
    message: str


class SqlProblem(msgspec.Struct, frozen=True):
    """One reason for a refusal. `line` and `column` are 1-based; `rule` is a stable slug of docs/sql_policy.md."""

    message: str
    line: int
    column: int
    rule: str


class SqlRefused(ValueError):
    """The statement breaks the SQL policy. `problems` is never empty and holds at most PROBLEMS_MAX entries."""

    def __init__(self, problems: tuple[SqlProblem, ...]) -> None:
        super().__init__("; ".join(f"line {p.line}, column {p.column}: {p.message}" for p in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type[SqlRefused], tuple[tuple[SqlProblem, ...]]]:
        return (SqlRefused, (self.problems,))


def _shown(message: str) -> str:
    """Names in a message come from the statement: keep them short and harmless for a terminal or a log."""
    short = message if len(message) <= MESSAGE_CHARS_MAX else message[: MESSAGE_CHARS_MAX - 3] + "..."
    return "".join(char if char.isprintable() else "?" for char in short)


def refusal(sql_text: str, findings: Iterable[Finding]) -> SqlRefused:
    """Turn findings into one refusal: in order of appearance, one per place and rule, capped."""
    line_starts = [0, *(i + 1 for i, char in enumerate(sql_text) if char == "\n")]
    seen: set[tuple[int, str]] = set()
    problems: list[SqlProblem] = []
    for finding in sorted(findings, key=lambda f: f.offset):
        if (finding.offset, finding.rule) in seen:
            continue
        seen.add((finding.offset, finding.rule))
        line = bisect_right(line_starts, finding.offset)
        column = finding.offset - line_starts[line - 1] + 1
        problems.append(SqlProblem(_shown(finding.message), line, column, finding.rule))
        if len(problems) == PROBLEMS_MAX:
            break
    return SqlRefused(tuple(problems))
