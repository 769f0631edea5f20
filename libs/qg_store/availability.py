"""Telling "Postgres is away or overloaded" from "the statement is wrong"."""

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_SQLSTATE_CLASSES = ("08", "28", "3D", "53", "57", "58")
"""Connection exception, sign-in refused, no such database, insufficient resources, operator intervention (also a
statement timeout), system error."""

LOCK_NOT_AVAILABLE = "55P03"
_READ_ONLY_TRANSACTION = "25006"
"""A standby that was promoted elsewhere, or a failover in progress."""


def is_unavailable(error: BaseException) -> bool:
    """Whether the same call may succeed later without anybody changing it."""
    if isinstance(error, PoolTimeout | OperationalError | InterfaceError):
        return True
    if isinstance(error, asyncpg.PostgresError):
        return _is_unavailable_state(error.sqlstate)
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_unavailable_state(sqlstate_of(error))
    # asyncpg raises the socket's own errors while it connects.
    return isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError)


def sqlstate_of(error: DBAPIError) -> str | None:
    """Postgres' code of an error; null for those that the driver finds itself."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state


def _is_unavailable_state(sqlstate: str | None) -> bool:
    return sqlstate is not None and (
        sqlstate[:2] in _SQLSTATE_CLASSES or sqlstate in {LOCK_NOT_AVAILABLE, _READ_ONLY_TRANSACTION}
    )
