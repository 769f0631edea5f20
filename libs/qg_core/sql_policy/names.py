"""Name resolution: Oracle calls `a.b` when it is no column, so every name has to lead to a source in scope."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sqlglot import exp

from .findings import Finding
from .functions import PSEUDO_COLUMNS, is_supplied_name
from .nodes import offset_of
from .scopes import (
    EMPTY,
    Scope,
    Source,
    aliases_of,
    by_name,
    joined_table,
    name_of,
    open_scope,
    parts_of,
    select_scope,
    with_ctes,
)

_PATTERN_NAME = re.compile(r'"([^"]+)"|([A-Za-z][A-Za-z0-9_$#]*)')
# Hints are comments; the others are leaves, and most of every tree.
_SKIPPED = (exp.Hint, exp.Identifier, exp.Literal)
_ROW_COUNTS = (exp.Offset, exp.Fetch)
"""Counted before there are rows: no column of the block can stand there."""
Pending = list[tuple[exp.Expr, Scope]]


class Names(NamedTuple):
    """What the resolution found.

    `tables`: without CTEs. `columns`: names that are columns only if the database has such columns. `placed`: offsets
    of all names that were resolved. `column_list_starts`: offsets of CTE names followed by a column list.
    """

    findings: list[Finding]
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    placed: frozenset[int]
    column_list_starts: frozenset[int]


def check_names(root: exp.Expr, allowed: frozenset[str]) -> Names:
    """Resolve every column of `root`. Iterative, like every walk here."""
    findings: list[Finding] = []
    tables: dict[str, int] = {}
    columns: dict[str, None] = {}
    placed: set[int] = set()
    column_lists: set[int] = set()
    pending: Pending = [(root, EMPTY)]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, exp.Column):
            path = _path(node)
            placed.update(start for _, start in path)
            names = [name for name, _ in path]
            problem = _resolve(node, names, scope, allowed)
            if problem:
                findings.append(problem)
            elif _is_uncertain(names, scope):
                columns[".".join(names)] = None
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            _note_table(node, scope, tables)
            placed.update(part.meta.get("start", -1) for part in node.parts)
            findings.extend(_check_alias(node))
        elif isinstance(node, (exp.Subquery, exp.Lateral, exp.CTE, exp.Pivot, exp.MatchRecognize)):
            findings.extend(_check_alias(node))
        if isinstance(node, exp.CTE) and node.args["alias"].args.get("columns"):
            column_lists.add(node.args["alias"].this.meta.get("start", -1))
        pending.extend(reversed([child for child in _children(node, scope) if not isinstance(child[0], _SKIPPED)]))
    in_order = tuple(sorted(tables, key=tables.__getitem__))
    return Names(findings, in_order, tuple(columns), frozenset(placed), frozenset(column_lists))


def _children(node: exp.Expr, scope: Scope) -> Iterator[tuple[exp.Expr, Scope]]:
    """The parts of `node`, each with the block whose names it can see."""
    if isinstance(node, exp.Select):
        outer = with_ctes(node, scope)
        inner = select_scope(node, outer)
        for child in parts_of(node):
            if isinstance(child, exp.With):
                yield child, outer
            elif isinstance(child, exp.From):
                yield from _source_children(child.this, inner, outer)
            elif isinstance(child, exp.Join):
                yield from _join_children(child, inner, outer)
            elif isinstance(child, exp.Order):
                yield child, inner._replace(aliases=aliases_of(node))
            elif isinstance(child, _ROW_COUNTS):
                yield child, outer
            else:
                yield child, inner
    elif isinstance(node, (exp.SetOperation, exp.Subquery)):
        around = with_ctes(node, scope)
        for child in parts_of(node):
            is_part = isinstance(child, (exp.With, exp.Query, *_ROW_COUNTS))
            yield child, around if is_part else open_scope(around)
    elif isinstance(node, exp.MatchRecognize):
        inside = _pattern_scope(node, scope)
        yield from ((child, inside) for child in parts_of(node))
    elif isinstance(node, exp.Pivot):
        inside = open_scope(scope)
        yield from ((child, inside) for child in parts_of(node))
    else:
        yield from ((child, scope) for child in parts_of(node))


def _source_children(item: exp.Expr, inner: Scope, outer: Scope) -> Iterator[tuple[exp.Expr, Scope]]:
    """Derived tables can't see their neighbours; LATERAL, CROSS APPLY and JSON_TABLE can."""
    if isinstance(item, exp.Subquery) and (table := joined_table(item)):
        yield from _source_children(table, inner, outer)
        yield from ((child, inner) for child in parts_of(item) if child is not table)
    elif isinstance(item, exp.Subquery):
        yield item, outer
    else:
        yield item, inner


def _join_children(join: exp.Join, inner: Scope, outer: Scope) -> Iterator[tuple[exp.Expr, Scope]]:
    for child in parts_of(join):
        if child is join.this:
            yield from _source_children(child, inner, outer)
        else:
            yield child, inner


def _pattern_scope(match: exp.MatchRecognize, scope: Scope) -> Scope:
    """Inside MATCH_RECOGNIZE the variables of the pattern qualify columns of the input."""
    pattern = match.args.get("pattern")
    text = pattern.name if isinstance(pattern, exp.Expr) else ""
    variables = {quoted or word.upper() for quoted, word in _PATTERN_NAME.findall(text)}
    sources = tuple(Source(variable, (), None) for variable in sorted(variables))
    return Scope(frozenset(), by_name(sources), frozenset(), True, scope.ctes, scope)


def _note_table(table: exp.Table, scope: Scope, tables: dict[str, int]) -> None:
    name, schema = name_of(table.this), name_of(table.args.get("db"))
    if schema or name not in scope.ctes:
        full, start = f"{schema}.{name}" if schema else name, offset_of(table.this)
        tables[full] = min(start, tables.get(full, start))


def _check_alias(node: exp.Expr) -> Iterator[Finding]:
    """What a dotted name could be qualified with must not be the name of a package of the database."""
    alias = node.args.get("alias")
    identifiers = [alias.this] if isinstance(alias, exp.TableAlias) else []
    if isinstance(node, exp.Table) and not identifiers:
        identifiers = [node.this]
    names = [(name_of(identifier), offset_of(identifier)) for identifier in identifiers if identifier]
    if isinstance(node, exp.MatchRecognize):
        offset = offset_of(node)
        names += [(variable, offset) for variable in _pattern_scope(node, EMPTY).by_name]
    if isinstance(node, exp.Table) and name_of(node.args.get("catalog")):
        yield Finding(offset_of(node), "table_name", "A table is named TABLE or SCHEMA.TABLE.")
    for name, offset in names:
        if is_supplied_name(name):
            yield Finding(offset, "reserved_alias", f"{name} is the name of a package or schema of the database.")


def _resolve(column: exp.Column, path: list[str], scope: Scope, allowed: frozenset[str]) -> Finding | None:
    if ".".join(path) in allowed:
        return None
    if len(path) == 1:
        if _is_visible(path[0], scope):
            return None
        return Finding(
            offset_of(column), "function", f"{path[0]} is no column here, so it would be called as a function."
        )
    if any(_qualifies(source, path) for block in scope.chain() for source in block.by_name.get(path[0], ())):
        return None
    return _call(column, ".".join(path))


def _is_uncertain(path: list[str], scope: Scope) -> bool:
    """Whether only the database knows that the accepted `path` is a column and not a call."""
    if path[-1] == "*" or (len(path) == 1 and path[0] in PSEUDO_COLUMNS):
        return False
    blocks = scope.chain()
    if len(path) == 1:
        return not any(_is_listed(path[0], block) for block in blocks)
    return all(source.columns is None for block in blocks for source in block.by_name.get(path[0], ()))


def _path(column: exp.Column) -> list[tuple[str, int]]:
    """All names of the dotted chain that `column` begins, with their offsets: object attributes follow as Dot nodes."""
    path = list(column.parts)
    node: exp.Expr = column
    while isinstance(node.parent, exp.Dot) and node.parent.this is node:
        node = node.parent
        path.append(node.expression)
    return [(name_of(part), part.meta.get("start", -1)) for part in path]


def _is_listed(name: str, block: Scope) -> bool:
    return name in block.aliases or name in block.known


def _is_visible(name: str, scope: Scope) -> bool:
    if name in PSEUDO_COLUMNS or name == "*":
        return True
    return any(block.open or _is_listed(name, block) for block in scope.chain())


def _qualifies(source: Source, path: list[str]) -> bool:
    """Whether `path` is a column of `source`, as far as the columns of `source` are known."""
    if len(path) >= 3 and source.path and source.path == tuple(path[:2]):
        column = path[2]
    elif path[0] == source.name:
        column = path[1]
    else:
        return False
    return source.columns is None or column in source.columns or column in ("*", "ROWID", "ORA_ROWSCN")


def _call(node: exp.Expr, name: str) -> Finding:
    return Finding(
        offset_of(node),
        "package_call",
        f"{name} leads to no table, alias or CTE in scope, so it would be called as a function.",
    )
