"""CREATE, DROP and TRUNCATE: what they do to the engine and to the declared types."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from qg_standin.catalog import Catalog, Columns, declared_type, storage_type
from qg_standin.failures import OracleError, unsupported


@dataclass(frozen=True, slots=True)
class Definition:
    table: str
    sql: str
    columns: Columns | None = None
    query: exp.Expr | None = None
    """CREATE ... AS: `sql` is the head, the query follows and gives the columns."""
    forgets: bool = False


def define(tree: exp.Expr, catalog: Catalog) -> Definition:
    """The definition for a parsed DDL statement."""
    if isinstance(tree, exp.TruncateTable):
        emptied = _table_name(tree)
        return Definition(emptied, f'truncate "{emptied.lower()}"')
    kind = str(tree.args.get("kind") or "").upper()
    if isinstance(tree, exp.Drop) and kind in ("TABLE", "VIEW"):
        dropped = _table_name(tree)
        if catalog.columns(dropped) is None:
            raise OracleError(942)
        return Definition(dropped, f'drop {kind} "{dropped.lower()}"', forgets=True)
    if isinstance(tree, exp.Create) and kind in ("TABLE", "VIEW"):
        return _create(tree, kind, catalog)
    raise unsupported(f"{tree.key.upper()} {kind}")


def _table_name(tree: exp.Expr) -> str:
    table = tree.find(exp.Table)
    if table is None:
        raise OracleError(903, "invalid table name")
    return table.name


def _create(tree: exp.Create, kind: str, catalog: Catalog) -> Definition:
    target = tree.this
    name = _table_name(tree)
    replaces = bool(tree.args.get("replace"))
    if catalog.columns(name) is not None and not replaces:
        raise OracleError(955, "name is already used by an existing object")
    head = f'create {"or replace " if replaces else ""}{kind} "{name.lower()}"'
    query = tree.args.get("expression")
    if query is not None:
        return Definition(name, f"{head} as", query=query.copy())
    columns: Columns = {}
    for column in target.find_all(exp.ColumnDef):
        oracle = declared_type(column.args["kind"])
        if oracle is None:
            raise OracleError(902, "invalid datatype")
        columns[column.name.upper()] = oracle
    parts = [
        f'"{column.name.lower()}" {storage_type(columns[column.name.upper()])}{_constraints(column)}'
        for column in target.find_all(exp.ColumnDef)
    ]
    return Definition(name, f"{head} ({', '.join(parts)})", columns=columns)


def _constraints(column: exp.ColumnDef) -> str:
    text = ""
    for constraint in column.args.get("constraints") or ():
        if isinstance(constraint.kind, exp.NotNullColumnConstraint):
            text += " not null"
        elif isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint):
            text += " primary key"
    return text
