"""Which names a query block can see: its sources, and those of the blocks around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sqlglot import exp

Columns = frozenset[str] | None  # None: not known from the statement alone


class Source(NamedTuple):
    """One item of a FROM clause. `path` is (schema, table) where it can be qualified with both."""

    name: str
    path: tuple[str, ...]
    columns: Columns


class Scope(NamedTuple):
    """What one query block adds.

    `aliases`: names of its own output, in its ORDER BY. `by_name`: its sources by what can qualify them. `known`: the
    columns of those sources whose columns are known. `open`: names without a dot may be columns nobody can list.
    """

    aliases: frozenset[str]
    by_name: Mapping[str, tuple[Source, ...]]
    known: frozenset[str]
    open: bool
    ctes: Mapping[str, Columns]
    parent: Scope | None

    def chain(self) -> Iterator[Scope]:
        """This block and those around it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


EMPTY = Scope(frozenset(), {}, frozenset(), False, {}, None)


def name_of(identifier: object) -> str:
    """A name as Oracle stores it: upper case unless quoted."""
    if isinstance(identifier, exp.Identifier):
        text = identifier.name
        return text if identifier.quoted else text.upper()
    return "*" if isinstance(identifier, exp.Star) else ""


def by_name(sources: tuple[Source, ...]) -> dict[str, tuple[Source, ...]]:
    """The sources that each first name of a dotted name can mean: the exposed name, or the schema."""
    found: dict[str, list[Source]] = {}
    for source in sources:
        for name in {source.name, *source.path[:1]}:
            found.setdefault(name, []).append(source)
    return {name: tuple(same) for name, same in found.items()}


def parts_of(node: exp.Expr) -> Iterator[exp.Expr]:
    """The direct children of `node`, in the order the parser keeps them."""
    yield from node.iter_expressions()


def joined_table(item: exp.Expr) -> exp.Table | None:
    """The table of `(a JOIN b ...)`, which the parser writes as a subquery without a query."""
    inner: object = item.this if isinstance(item, exp.Subquery) else None
    return inner if isinstance(inner, exp.Table) else None


def with_ctes(query: exp.Expr, scope: Scope) -> Scope:
    """`scope` with the CTEs that `query` itself declares."""
    declared = query.args.get("with_")
    if not declared:
        return scope
    ctes = dict(scope.ctes)
    extended = bool(declared.args.get("search") or declared.args.get("cycle"))  # they add columns
    for cte in declared.expressions:
        listed = cte.args["alias"].args.get("columns")
        columns = frozenset(map(name_of, listed)) if listed else output_columns(cte.this)
        ctes[name_of(cte.args["alias"].this)] = None if extended else columns
    return scope._replace(ctes=ctes)


def open_scope(scope: Scope) -> Scope:
    """A block around nothing new, where names without a dot may be output columns (ORDER BY of a UNION)."""
    return Scope(frozenset(), {}, frozenset(), True, scope.ctes, scope)


def select_scope(select: exp.Select, scope: Scope) -> Scope:
    """The block of `select`, whose own CTEs are in `scope` already."""
    sources = tuple(_sources(select, scope))
    known = all(source.columns is not None for source in sources) and not select.args.get("match")
    names = frozenset().union(*(source.columns or () for source in sources))
    return Scope(frozenset(), by_name(sources), names, not known, scope.ctes, scope)


def aliases_of(select: exp.Select) -> frozenset[str]:
    """The names that `select` gives its own columns: only its ORDER BY can use them."""
    return frozenset(name_of(p.args.get("alias")) for p in select.expressions if isinstance(p, exp.Alias))


def _sources(select: exp.Select, scope: Scope) -> Iterator[Source]:
    from_ = select.args.get("from_")
    items = [from_.this] if from_ else []
    items += [join.this for join in select.args.get("joins") or ()]
    items += select.args.get("laterals") or ()
    while items:
        item = items.pop(0)
        items += [join.this for join in item.args.get("joins") or ()]
        pivots = item.args.get("pivots") or ()
        pivoted = [name_of(p.args["alias"].this) for p in pivots if p.args.get("alias")]
        yield from (Source(name, (), None) for name in pivoted)
        if table := joined_table(item):
            items.append(table)
        if match := item.args.get("match"):
            yield from (Source(name_of(a.this), (), None) for a in [match.args.get("alias")] if a)
        yield from _own_source(item, scope, shaped=bool(pivots))
    if match := select.args.get("match"):
        alias = match.args.get("alias")
        if alias:
            yield Source(name_of(alias.this), (), None)


def _own_source(item: exp.Expr, scope: Scope, *, shaped: bool) -> Iterator[Source]:
    alias = item.args.get("alias")
    alias_name = name_of(alias.this) if isinstance(alias, exp.TableAlias) else ""
    columns: Columns = None
    path: tuple[str, ...] = ()
    if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
        table, schema = name_of(item.this), name_of(item.args.get("db"))
        if not schema and table in scope.ctes:
            columns = scope.ctes[table]
        elif table == "DUAL" and schema in ("", "SYS"):
            columns = frozenset({"DUMMY"})
        path = () if alias_name or not schema else (schema, table)
        alias_name = alias_name or table
    elif isinstance(item, exp.Subquery):
        columns = output_columns(item.this)
    yield Source(alias_name, path, None if shaped else columns)


def output_columns(query: exp.Expr) -> Columns:
    """The names a query puts out, where all of them are written in it."""
    while isinstance(query, (exp.SetOperation, exp.Subquery)):
        query = query.this
    if not isinstance(query, exp.Select):
        return None
    names: set[str] = set()
    for projection in query.expressions:
        if isinstance(projection, exp.Alias):
            names.add(name_of(projection.args.get("alias")))
        elif isinstance(projection, exp.Column) and isinstance(projection.this, exp.Identifier):
            names.add(name_of(projection.this))
        else:
            return None  # a star, or an expression whose name the database makes up
    return frozenset(names)
