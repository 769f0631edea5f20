"""Reads client requests out of the message bytes.

Nothing is framed by length, so each request is parsed exactly; what is unknown aborts the connection.
"""

from __future__ import annotations

from collections.abc import Callable

from qg_standin import lob_requests, piggybacks
from qg_standin.binds import BindType, RawRow, read_bind_row, read_bind_types, returning_values
from qg_standin.logon import parse_logon
from qg_standin.placeholders import placeholder_offsets
from qg_standin.requests import (
    AUTH_PHASE_ONE,
    AUTH_PHASE_TWO,
    COMMIT,
    EXECUTE,
    FETCH,
    LOB_OPERATION,
    LOGOFF,
    OPTION_COMMIT,
    OPTION_DEFINE,
    OPTION_DESCRIBE,
    OPTION_EXECUTE,
    OPTION_FETCH,
    OPTION_PLSQL,
    PING,
    REEXECUTE,
    REEXECUTE_AND_FETCH,
    ROLLBACK,
    VERSION,
    Execute,
    Fetch,
    Function,
    Logon,
    Repeated,
    Request,
    Simple,
)
from qg_standin.spot_answers import SpotAnswers
from qg_standin.wire import Malformed, Reader

_AL8I4_COUNT = 13
_ROWS_MAX = 1_000_000
_SQL_BYTES_MAX = 1024 * 1024

BindLookup = Callable[[int], tuple[tuple[BindType, ...], int, bool]]
"""cursor id -> its bind types, how many of them carry values, and whether it is PL/SQL."""


class RequestParser:
    """Parses the requests of one session; remembers only the field version in force."""

    def __init__(self, field_version: int, binds_of: BindLookup) -> None:
        self.field_version = field_version
        self.known: SpotAnswers | None = None
        self._binds_of = binds_of

    def parse(self, buffer: bytes | bytearray) -> tuple[Request, int]:
        """The request at the start of the buffer and its length; NeedMore if it is not whole."""
        reader = Reader(buffer)
        request = Request(Simple(PING))
        while True:
            message_type = reader.u8()
            if message_type == 0:
                continue  # an end-to-end value set to "" leaves a stray zero byte
            if message_type not in (3, 17):
                raise Malformed(f"message type {message_type}")
            code = reader.u8()
            reader.u8()
            if self.field_version >= 18:
                reader.ub(8)
            if message_type == 17:
                piggybacks.read(code, reader, request)
                continue
            start = reader.pos
            if code == REEXECUTE_AND_FETCH and self.known is not None:
                body = bytes(buffer[start:])
                answer = self.known.get(body)
                if answer is not None:
                    request.function = Repeated(answer, body)
                    return request, len(buffer)
            request.function = self._function(code, reader)
            if code == REEXECUTE_AND_FETCH:
                request.body = bytes(buffer[start : reader.pos])
            return request, reader.pos

    def parse_body(self, body: bytes) -> Execute:
        """A re-execution from its bytes behind the header."""
        return self._reexecute(REEXECUTE_AND_FETCH, Reader(body))

    def _function(self, code: int, reader: Reader) -> Function:
        if code == EXECUTE:
            return self._execute(reader)
        if code in (REEXECUTE, REEXECUTE_AND_FETCH):
            return self._reexecute(code, reader)
        if code == FETCH:
            return Fetch(reader.ub(), min(reader.ub(), _ROWS_MAX))
        if code in (LOGOFF, COMMIT, ROLLBACK, PING):
            return Simple(code)
        if code == VERSION:
            reader.skip(1)
            reader.ub()
            reader.skip(2)
            return Simple(code)
        if code in (AUTH_PHASE_ONE, AUTH_PHASE_TWO):
            return Logon(1 if code == AUTH_PHASE_ONE else 2, parse_logon(reader))
        if code == LOB_OPERATION:
            return lob_requests.parse_call(reader)
        raise Malformed(f"function {code}")

    def _execute(self, reader: Reader) -> Execute:
        options = reader.ub()
        cursor_id = reader.ub()
        has_sql = reader.u8()
        if reader.ub() > _SQL_BYTES_MAX:
            raise Malformed("a statement that is too long")
        reader.u8()
        al8i4_count = reader.ub()
        reader.skip(2)
        reader.ub()
        rows_wanted = reader.ub()
        reader.ub()
        has_binds, bind_count = reader.u8(), reader.ub()
        reader.skip(5)
        has_defines, define_count = reader.u8(), reader.ub()
        reader.ub()
        reader.skip(3)
        reader.ub()
        reader.u8()
        reader.ub()
        reader.ub()
        reader.u8()
        reader.ub()
        reader.u8()
        if self.field_version >= 8:
            reader.u8()
            reader.ub()
            reader.u8()
            reader.ub()
            reader.u8()
        if self.field_version >= 9:
            reader.u8()
            reader.ub()
        sql = (reader.bytes_() or b"").decode(errors="replace") if has_sql else None
        if al8i4_count != _AL8I4_COUNT:
            raise Malformed(f"{al8i4_count} execution words")
        words = [reader.ub() for _ in range(_AL8I4_COUNT)]
        define_types = bind_types = None
        rows: list[RawRow] = []
        if has_defines and define_count and options & OPTION_DEFINE:
            define_types = read_bind_types(reader, define_count, self.field_version)
        elif has_binds and bind_count:
            bind_types = read_bind_types(reader, bind_count, self.field_version)
            if options & OPTION_EXECUTE and not options & OPTION_DESCRIBE:
                rows = self._bind_rows(reader, options, sql, bind_types, cursor_id, words)
        return Execute(options, cursor_id, sql, min(rows_wanted, _ROWS_MAX), bind_types, define_types, rows)

    def _bind_rows(
        self,
        reader: Reader,
        options: int,
        sql: str | None,
        bind_types: tuple[BindType, ...],
        cursor_id: int,
        words: list[int],
    ) -> list[RawRow]:
        is_plsql = bool(options & OPTION_PLSQL)
        if sql is None:
            carrying = min(self._binds_of(cursor_id)[1], len(bind_types))
        elif is_plsql or "returning" not in sql.lower():
            carrying = len(bind_types)
        else:
            carrying = returning_values(sql, placeholder_offsets(sql), len(bind_types))
        if carrying == 0:
            return []
        count = 1 if words[7] == 1 else max(words[1], 1)
        return [read_bind_row(reader, bind_types, values=carrying, is_plsql=is_plsql) for _ in range(count)]

    def _reexecute(self, code: int, reader: Reader) -> Execute:
        cursor_id = reader.ub()
        iterations = reader.ub()
        reader.ub()
        options2 = reader.ub()
        bind_types, carrying, is_plsql = self._binds_of(cursor_id)
        fetches = code == REEXECUTE_AND_FETCH
        rows = []
        if carrying:
            count = 1 if fetches else max(iterations, 1)
            rows = [read_bind_row(reader, bind_types, values=carrying, is_plsql=is_plsql) for _ in range(count)]
        options = OPTION_EXECUTE | (OPTION_FETCH if fetches else 0) | (OPTION_COMMIT if options2 & 1 else 0)
        return Execute(
            options,
            cursor_id,
            None,
            min(iterations, _ROWS_MAX) if fetches else 0,
            None,
            None,
            rows,
            is_reexecute=True,
        )
