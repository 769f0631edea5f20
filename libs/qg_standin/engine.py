"""The embedded engine behind the wire: one small blocking interface, called from worker threads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from qg_standin.failures import OracleError, from_engine
from qg_standin.values import BindValue

MEMORY_LIMIT = "1GB"
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class EngineColumn:
    name: str
    type_text: str


class EngineSession(Protocol):
    """One transaction scope of the engine. Every method but `interrupt` blocks; all raise OracleError."""

    def execute(self, sql: str, parameters: dict[str, BindValue]) -> list[EngineColumn]:
        """Start a statement; its result stays open until the next call."""

    def fetch(self, rows_max: int) -> Rows:
        """The next rows of the open result; fewer than asked for means it ended."""

    def discard(self) -> None:
        """Drop the open result."""

    def interrupt(self) -> None:
        """Stop what runs now in another thread."""

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


class Engine(Protocol):
    def open_session(self) -> EngineSession: ...

    def close(self) -> None: ...


class DuckSession:
    """One DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: dict[str, BindValue]) -> list[EngineColumn]:
        try:
            self._connection.execute(sql, parameters or None)
            description = self._connection.description or []
            return [EngineColumn(str(entry[0]), str(entry[1])) for entry in description]
        except duckdb.Error as error:
            raise _oracle_error(error) from None

    def fetch(self, rows_max: int) -> Rows:
        try:
            return self._connection.fetchmany(rows_max)
        except duckdb.Error as error:
            raise _oracle_error(error) from None

    def discard(self) -> None:
        # An interrupted stream would raise in the next, innocent call: replace the result by an empty one.
        try:
            self._connection.execute("select 1").fetchall()
        except duckdb.Error:
            self._connection.execute("select 1").fetchall()

    def interrupt(self) -> None:
        self._connection.interrupt()

    def begin(self) -> None:
        self.execute("begin transaction", {})

    def commit(self) -> None:
        self.execute("commit", {})

    def rollback(self) -> None:
        self.execute("rollback", {})

    def close(self) -> None:
        self._connection.close()


class DuckEngine:
    """An in-memory DuckDB, without access to files or extensions."""

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        self._root = duckdb.connect(
            str(path) if path else ":memory:",
            config={
                "threads": threads,
                "memory_limit": MEMORY_LIMIT,
                "python_enable_replacements": False,
                "enable_external_access": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )

    def open_session(self) -> DuckSession:
        connection = self._root.cursor()
        connection.execute("set TimeZone = 'UTC'")
        return DuckSession(connection)

    def close(self) -> None:
        self._root.close()


def _oracle_error(error: duckdb.Error) -> OracleError:
    return from_engine(str(error))
