"""Parses Oracle SQL and says what sort of statement it is."""

from __future__ import annotations

import re
from enum import Enum

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from qg_standin.failures import OracleError, unsupported


class Action(Enum):
    QUERY = "query"
    CHANGE = "change"
    DEFINE = "define"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    NOTHING = "nothing"
    """Accepted without effect: ALTER SESSION, SET TRANSACTION, an empty block."""


_LEADING = re.compile(r"^(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*", re.DOTALL)
_NOTHING = re.compile(r"(alter\s+session|set\s+(transaction|role)|begin\s+null\s*;\s*end\s*;?\s*$)", re.IGNORECASE)
_PLSQL = re.compile(r"(begin|declare|call|exec|execute)\b", re.IGNORECASE)
_KEYWORDS = frozenset(
    [
        "select",
        "with",
        "insert",
        "update",
        "delete",
        "merge",
        "create",
        "drop",
        "alter",
        "truncate",
        "commit",
        "rollback",
        "savepoint",
        "grant",
        "revoke",
        "comment",
        "lock",
        "explain",
        "rename",
        "analyze",
        "audit",
        "purge",
        "values",
        "table",
    ]
)
_ROOTS: tuple[tuple[tuple[type[exp.Expr], ...], Action], ...] = (
    ((exp.Select, exp.SetOperation, exp.Subquery), Action.QUERY),
    ((exp.Insert, exp.Update, exp.Delete, exp.Merge), Action.CHANGE),
    ((exp.Create, exp.Drop, exp.TruncateTable), Action.DEFINE),
    ((exp.Commit,), Action.COMMIT),
    ((exp.Rollback,), Action.ROLLBACK),
)


def parse(sql: str) -> tuple[Action, exp.Expr]:
    """The action and tree of one statement; OracleError as Oracle would complain."""
    body = _LEADING.sub("", sql, count=1)
    word = re.match(r"[a-z]+", body, re.IGNORECASE)
    if not body.strip():
        raise OracleError(24373, "invalid length specified for statement")
    if _NOTHING.match(body):
        return Action.NOTHING, exp.Null()
    if _PLSQL.match(body):
        raise OracleError(6550)
    if word is None or word[0].lower() not in _KEYWORDS:
        raise OracleError(900)
    trees = _parse_all(sql)
    if len(trees) != 1 or trees[0] is None or sql.rstrip().endswith(";"):
        raise OracleError(911, position=len(sql) - 1)
    tree = trees[0]
    _refuse_text(sql)
    _refuse_what_oracle_refuses(tree)
    for roots, action in _ROOTS:
        if isinstance(tree, roots):
            return action, tree
    raise unsupported(f"{word[0].upper()} statements of this form")


def _parse_all(sql: str) -> list[exp.Expr | None]:
    try:
        return list(sqlglot.parse(sql, read="oracle"))
    except TokenError as error:
        raise OracleError(1756 if "'" in sql else 911) from error
    except RecursionError:
        raise OracleError(913, "too many nested expressions") from None
    except ParseError as error:
        raise _parse_failure(sql, error) from error


def _parse_failure(sql: str, error: ParseError) -> OracleError:
    first = error.errors[0] if error.errors else {}
    description = str(first.get("description") or "")
    line, column = int(first.get("line") or 1), int(first.get("col") or 1)
    position = sum(len(text) + 1 for text in sql.splitlines()[: line - 1]) + column - 1
    if "Expecting )" in description:
        code = 907
    elif (
        "Required keyword" in description
        or "Expected expression" in description
        or re.search(r"\bselect\s+from\b", sql, re.IGNORECASE)
    ):
        code = 936
    else:
        code = 933
    return OracleError(code, position=min(max(position, 0), len(sql)))


_LITERAL_OR_COMMENT = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(r",\s*((?:from|where|group|order)\b|\))", re.IGNORECASE)
_DATABASE_LINK = re.compile(r"[\w$#]\s*@\s*[\w$#]")


def _refuse_text(sql: str) -> None:
    """What the parser lets through or explains badly."""
    code_only = _LITERAL_OR_COMMENT.sub("''", sql)
    if found := _TRAILING_COMMA.search(code_only):
        raise OracleError(936, position=found.start())
    if _DATABASE_LINK.search(code_only):
        raise OracleError(2019, "connection description for remote database not found")


def _refuse_what_oracle_refuses(tree: exp.Expr) -> None:
    for select in tree.find_all(exp.Select):
        if not select.expressions:
            raise OracleError(936)
        if select.args.get("from_") is None:
            raise OracleError(923)
        if select.args.get("limit") is not None and isinstance(select.args["limit"], exp.Limit):
            raise OracleError(933)
        source = select.args["from_"].this
        if isinstance(source, exp.Table) and not source.name and not source.this:
            raise OracleError(903, "invalid table name")
