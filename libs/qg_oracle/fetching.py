"""The driver's part of a call: a cursor for the statement, its binds, its columns, its end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import oracledb

from qg_oracle.columns import Column, DescribingCursor, column_of
from qg_oracle.logon import STATEMENTS_CACHED
from qg_oracle.sessions import Session
from qg_oracle.statements import Statement, Tags


def open_cursor(session: Session, statement: Statement, tags: Tags, rows: int) -> DescribingCursor:
    """A cursor that will ask for `rows` rows at first, on a session that shows `tags` from its next round trip on."""
    session.show(tags)
    cursor = DescribingCursor(session.connection)
    cursor.prefetchrows = cursor.arraysize = rows
    cursor.outputtypehandler = statement.handler
    return cursor


def declare_binds(cursor: DescribingCursor, binds: Mapping[str, Any]) -> None:
    """Say of which type a value is, where the driver would choose one that loses something."""
    for name, value in binds.items():
        if type(value) is datetime and value.microsecond:
            # A datetime goes as DATE, which keeps indexes on DATE columns of use but would drop the fraction.
            cursor.setinputsizes(**{name: oracledb.DB_TYPE_TIMESTAMP})


def columns_of(session: Session, cursor: DescribingCursor, statement: Statement) -> tuple[Column, ...]:
    """The columns of what was just executed: described in this call, or known since this session's last describe."""
    known = session.columns.get(statement.sql)
    if not cursor.described and known is not None:
        return known
    described = cursor.description or []
    # The driver asks for the fetch form of every column more than once when a cached statement is described anew.
    columns = cursor.described[-len(described) :] or tuple(map(column_of, described))
    if not columns:
        raise oracledb.InterfaceError("the statement gave no columns")
    if known == columns:
        return known
    if len(session.columns) >= 2 * STATEMENTS_CACHED:
        session.columns.clear()
    session.columns[statement.sql] = columns = statement.known(columns)
    return columns


def close_cursor(cursor: DescribingCursor | None) -> None:
    """Hand the statement back to the session's cache; never fails."""
    if cursor is not None:
        try:
            cursor.close()
        except (oracledb.Error, OSError):
            return  # with a dead connection there is nothing to return it to
