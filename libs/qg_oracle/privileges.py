"""What an account can do beyond reading, found out for an admin who tests a connection.

The SQL policy is a guard rail; the account is the boundary. So `/test` says where the account is wider than an account
for reading should be.
"""

import oracledb

ROWS_MAX = 500
NAMED_MAX = 5

_SYSTEM = f"SELECT privilege FROM session_privs WHERE ROWNUM <= {ROWS_MAX}"  # noqa: S608 - constants only
_ROLES = f"SELECT granted_role FROM user_role_privs WHERE ROWNUM <= {ROWS_MAX}"  # noqa: S608 - as above
_OBJECTS = (
    "SELECT DISTINCT privilege FROM user_tab_privs "
    "WHERE privilege IN ('INSERT', 'UPDATE', 'DELETE', 'ALTER', 'EXECUTE') AND grantee = USER"
)
_OWN_TABLES = "SELECT table_name FROM user_tables WHERE ROWNUM <= 1"

_HARMLESS_SYSTEM = frozenset({"CREATE SESSION", "SET CONTAINER"})
_POWERFUL_ROLES = frozenset(
    {
        "DBA",
        "CDB_DBA",
        "PDB_DBA",
        "IMP_FULL_DATABASE",
        "DATAPUMP_IMP_FULL_DATABASE",
        "EXP_FULL_DATABASE",
        "DATAPUMP_EXP_FULL_DATABASE",
        "SELECT_CATALOG_ROLE",
        "EXECUTE_CATALOG_ROLE",
        "SYSDBA",
        "SYSOPER",
        "RESOURCE",
        "SCHEDULER_ADMIN",
        "JAVASYSPRIV",
        "AUDIT_ADMIN",
        "DV_OWNER",
    }
)


async def privilege_warnings(connection: oracledb.AsyncConnection) -> tuple[str, ...]:
    """Sentences about rights the account doesn't need; empty when it can only sign in and read what it was given.

    Four small queries, each within the connection's `call_timeout`; a dictionary view that the account can't read is
    named in a warning of its own.
    """
    warnings: list[str] = []
    system = await _names(connection, _SYSTEM, "SESSION_PRIVS", warnings)
    roles = await _names(connection, _ROLES, "USER_ROLE_PRIVS", warnings)
    objects = await _names(connection, _OBJECTS, "USER_TAB_PRIVS", warnings)
    tables = await _names(connection, _OWN_TABLES, "USER_TABLES", warnings)
    if powerful := sorted(set(roles) & _POWERFUL_ROLES):
        warnings.append(f"The account holds powerful roles: {_listed(powerful)}.")
    if wide := sorted(name for name in system if " ANY " in f" {name} " or name.startswith("SYS")):
        warnings.append(f"The account holds ANY privileges: {_listed(wide)}.")
    other = sorted(set(system) - set(wide) - _HARMLESS_SYSTEM)
    if other:
        warnings.append(f"The account can do more than sign in and read: {_listed(other)}.")
    if objects:
        warnings.append(f"The account can change or run objects of others: {_listed(sorted(objects))}.")
    if tables:
        warnings.append("The account owns tables, so it can write to them; use one that was only granted READ.")
    return tuple(warnings)


async def _names(connection: oracledb.AsyncConnection, sql: str, view: str, warnings: list[str]) -> list[str]:
    try:
        with connection.cursor() as cursor:
            cursor.arraysize = ROWS_MAX
            await cursor.execute(sql)
            return [str(row[0]) for row in await cursor.fetchmany(ROWS_MAX)]
    except oracledb.Error:
        warnings.append(f"{view} could not be read, so the account's rights are not fully known.")
        return []


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more
