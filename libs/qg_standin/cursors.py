"""Cursors of one session: statements with what the client declared about them."""

from __future__ import annotations

from dataclasses import dataclass

from qg_standin.binds import BindType, RawRow
from qg_standin.failures import OracleError
from qg_standin.rows import RowSource, StreamSource
from qg_standin.sql.plan import Plan
from qg_standin.wire import Malformed

CURSORS_MAX = 1000


@dataclass(slots=True)
class Cursor:
    number: int
    sql: str
    parameters: tuple[str, ...]
    carrying: int = 0
    is_plsql: bool = False
    bind_types: tuple[BindType, ...] = ()
    define_types: tuple[BindType, ...] | None = None
    plan: Plan | None = None
    row: RawRow = ()
    source: RowSource | None = None
    fetched_rows: int = 0
    is_open: bool = True
    described: Plan | None = None
    """The plan whose columns the client was told of last."""

    def abandon(self) -> None:
        if isinstance(self.source, StreamSource):
            self.source.abandon()
        self.source = None
        self.fetched_rows = 0


class Cursors:
    def __init__(self) -> None:
        self._by_number: dict[int, Cursor] = {}
        self._next = 1

    def open(self, sql: str, parameters: tuple[str, ...]) -> Cursor:
        if len(self._by_number) >= CURSORS_MAX:
            raise OracleError(1000, "maximum open cursors exceeded")
        cursor = Cursor(self._next, sql, parameters)
        self._next = self._next % 65_000 + 1
        while self._next in self._by_number:
            self._next += 1
        self._by_number[cursor.number] = cursor
        return cursor

    def get(self, number: int) -> Cursor:
        cursor = self._by_number.get(number)
        if cursor is None:
            raise OracleError(1001, "invalid cursor")
        return cursor

    def binds_of(self, number: int) -> tuple[tuple[BindType, ...], int, bool]:
        """For the parser: without it the length of a re-execution is unknown."""
        cursor = self._by_number.get(number)
        if cursor is None:
            raise Malformed(f"re-execution of the unknown cursor {number}")
        return cursor.bind_types, cursor.carrying, cursor.is_plsql

    def close(self, numbers: list[int]) -> None:
        for number in numbers:
            cursor = self._by_number.pop(number, None)
            if cursor is not None:
                cursor.is_open = False
                cursor.abandon()

    def all(self) -> list[Cursor]:
        return list(self._by_number.values())
