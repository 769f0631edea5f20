"""The dictionary: V$SESSION and its like, SYS_CONTEXT and USER, put into the statement as literals."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from qg_standin.catalog import Columns
from qg_standin.columns import NUMBER_FREE, Kind, OracleType
from qg_standin.session_view import Surroundings

SCHEMA_OWNER = "SUPPLY"
_NAME = OracleType(Kind.VARCHAR, size=128)
_NUMBERS = frozenset({"SID", "SERIAL#", "CON_ID"})
Table = tuple[tuple[str, ...], list[tuple[str | int | None, ...]]]


def _sessions(around: Surroundings) -> Table:
    names = ("SID", "SERIAL#", "USERNAME", "STATUS", "TYPE", "CLIENT_IDENTIFIER", "MODULE", "ACTION",
             "CLIENT_INFO", "SERVICE_NAME")  # fmt: skip
    rows: list[tuple[str | int | None, ...]] = [
        (s.sid, s.serial, s.user.name, s.status, "USER", s.tag("client_identifier"), s.tag("module"),
         s.tag("action"), s.tag("client_info"), s.service_name)
        for s in around.all_sessions()
    ]  # fmt: skip
    return names, rows


def _version(around: Surroundings) -> Table:
    banner = f"Oracle stand-in for development, speaks like {around.version_text}"
    return ("BANNER", "BANNER_FULL", "CON_ID"), [(banner, banner, 0)]


def _product(around: Surroundings) -> Table:
    version = around.version_text
    return ("PRODUCT", "VERSION", "VERSION_FULL", "STATUS"), [("Oracle stand-in", version, version, "Development")]


def _session_privileges(around: Surroundings) -> Table:
    return ("PRIVILEGE",), [(privilege,) for privilege in around.session.user.system_privileges]


def _user_system_privileges(around: Surroundings) -> Table:
    user = around.session.user
    return ("USERNAME", "PRIVILEGE", "ADMIN_OPTION"), [(user.name, p, "NO") for p in user.system_privileges]


def _table_privileges(around: Surroundings) -> Table:
    user = around.session.user
    names = ("GRANTEE", "OWNER", "TABLE_NAME", "GRANTOR", "PRIVILEGE", "GRANTABLE")
    return names, [
        (user.name, SCHEMA_OWNER, table, SCHEMA_OWNER, privilege, "NO")
        for table in around.table_names()
        for privilege in user.object_privileges
    ]


def _role_privileges(_around: Surroundings) -> Table:
    return ("USERNAME", "GRANTED_ROLE", "ADMIN_OPTION", "DEFAULT_ROLE"), []


def _roles(_around: Surroundings) -> Table:
    return ("ROLE",), []


def _users(around: Surroundings) -> Table:
    return ("USERNAME", "ACCOUNT_STATUS"), [(around.session.user.name, "OPEN")]


def _tables(around: Surroundings) -> Table:
    return ("OWNER", "TABLE_NAME"), [(SCHEMA_OWNER, name) for name in around.table_names()]


_TABLES: dict[str, Callable[[Surroundings], Table]] = {
    "V$SESSION": _sessions,
    "V$VERSION": _version,
    "V$INSTANCE": _product,
    "PRODUCT_COMPONENT_VERSION": _product,
    "SESSION_PRIVS": _session_privileges,
    "USER_SYS_PRIVS": _user_system_privileges,
    "USER_TAB_PRIVS": _table_privileges,
    "USER_TAB_PRIVS_RECD": _table_privileges,
    "ALL_TAB_PRIVS": _table_privileges,
    "USER_ROLE_PRIVS": _role_privileges,
    "SESSION_ROLES": _roles,
    "USER_USERS": _users,
    "ALL_TABLES": _tables,
    "USER_TABLES": _tables,
}


def _literal(value: str | int | None, name: str) -> exp.Expr:
    if value is None:
        return exp.cast(exp.Null(), "decimal(10,0)" if name in _NUMBERS else "varchar")
    return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)


def _as_subquery(names: tuple[str, ...], rows: list[tuple[str | int | None, ...]], alias: str) -> exp.Expr:
    blank: tuple[str | int | None, ...] = (None,) * len(names)
    selects = [
        exp.Select(expressions=[exp.alias_(_literal(v, n), n, quoted=True) for v, n in zip(row, names, strict=True)])
        for row in rows or [blank]
    ]
    if not rows:
        selects[0].set("limit", exp.Limit(expression=exp.Literal.number(0)))
    query: exp.Expr = selects[0]
    for select in selects[1:]:
        query = exp.Union(this=query, expression=select, distinct=False)
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def replace_dictionary(tree: exp.Expr, around: Surroundings) -> Columns | None:
    """Replace dictionary tables and calls; the types of the columns if there were any, else None."""
    columns: Columns = {}
    found = False
    for table in list(tree.find_all(exp.Table)):
        if table.db.upper() in (SCHEMA_OWNER, "PUBLIC") and not table.catalog:
            table.set("db", None)
        source = _TABLES.get(table.name.upper())
        if source is None or table.db.upper() not in ("", "SYS", "PUBLIC"):
            continue
        found = True
        names, rows = source(around)
        columns.update({name: NUMBER_FREE if name in _NUMBERS else _NAME for name in names})
        table.replace(_as_subquery(names, rows, table.alias_or_name))
    for node in list(tree.find_all(exp.Anonymous, exp.Column)):
        value = _session_value(node, around)
        if value is not None:
            found = True
            node.replace(value)
    return columns if found else None


def _session_value(node: exp.Expr, around: Surroundings) -> exp.Expr | None:
    name = node.name.upper()
    if isinstance(node, exp.Anonymous):
        if name == "SYS_CONTEXT" and len(node.expressions) >= 2:
            return _context(node.expressions[0].name, node.expressions[1].name, around)
        return None
    if name == "USER" and isinstance(node, exp.Column) and not node.table:
        return exp.Literal.string(around.session.user.name)
    return None


def _context(namespace: str, attribute: str, around: Surroundings) -> exp.Expr:
    session = around.session
    values: dict[str, str | int | None] = {
        "CLIENT_IDENTIFIER": session.tag("client_identifier"),
        "MODULE": session.tag("module"),
        "ACTION": session.tag("action"),
        "CLIENT_INFO": session.tag("client_info"),
        "SESSION_USER": session.user.name,
        "CURRENT_USER": session.user.name,
        "CURRENT_SCHEMA": SCHEMA_OWNER,
        "SERVICE_NAME": session.service_name,
        "DB_NAME": session.service_name,
        "INSTANCE_NAME": session.service_name,
        "SID": str(session.sid),
        "SESSIONID": str(session.sid),
        "ISDBA": "FALSE",
    }
    value = values.get(attribute.upper()) if namespace.upper() == "USERENV" else None
    return _literal(value, "")
