"""Client requests: zero or more piggybacks, then exactly one function.

Nothing is framed by length, so each request is parsed exactly; what is unknown aborts the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from qg_standin import lob_requests
from qg_standin.binds import BindType, RawRow, read_bind_row, read_bind_types, returning_values
from qg_standin.lob_requests import LobCall
from qg_standin.logon import LogonRequest, parse_logon
from qg_standin.placeholders import placeholder_offsets
from qg_standin.spot_answers import SpotAnswer, SpotAnswers
from qg_standin.wire import Malformed, Reader

EXECUTE, FETCH, LOGOFF, COMMIT, ROLLBACK = 94, 5, 9, 14, 15
REEXECUTE, REEXECUTE_AND_FETCH, LOB_OPERATION = 4, 78, 96
AUTH_PHASE_TWO, AUTH_PHASE_ONE, PING, VERSION = 115, 118, 147, 59
CLOSE_CURSORS, END_TO_END, CURRENT_SCHEMA, APP_CONTEXT, SESSION_STATE = 105, 135, 152, 154, 176

OPTION_PARSE, OPTION_BIND, OPTION_DEFINE, OPTION_EXECUTE, OPTION_FETCH = 0x01, 0x08, 0x10, 0x20, 0x40
OPTION_COMMIT, OPTION_PLSQL, OPTION_DESCRIBE, OPTION_BATCH_ERRORS = 0x100, 0x400, 0x20000, 0x80000
_AL8I4_COUNT = 13
_ROWS_MAX = 1_000_000
_SQL_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Execute:
    options: int
    cursor_id: int
    sql: str | None
    rows_wanted: int
    bind_types: tuple[BindType, ...] | None
    define_types: tuple[BindType, ...] | None
    rows: list[RawRow]
    is_reexecute: bool = False

    @property
    def describes_only(self) -> bool:
        return bool(self.options & OPTION_DESCRIBE)


@dataclass(frozen=True, slots=True)
class Fetch:
    cursor_id: int
    rows_wanted: int


@dataclass(frozen=True, slots=True)
class Simple:
    """A function without a body: logoff, commit, rollback, ping, version."""

    code: int


@dataclass(frozen=True, slots=True)
class Logon:
    phase: int
    request: LogonRequest


@dataclass(frozen=True, slots=True)
class Repeated:
    """A re-execution whose answer is known; it was not parsed further."""

    answer: SpotAnswer
    body: bytes


Function = Execute | Fetch | Simple | Logon | LobCall | Repeated


@dataclass(slots=True)
class Request:
    function: Function
    closed_cursors: list[int] = field(default_factory=list)
    freed_locators: list[bytes] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    """Of a re-execution: its bytes behind the header."""


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
                self._piggyback(code, reader, request)
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

    def _piggyback(self, code: int, reader: Reader, request: Request) -> None:
        if code == CLOSE_CURSORS:
            reader.u8()
            request.closed_cursors += [reader.ub() for _ in range(reader.ub())]
        elif code == END_TO_END:
            request.tags.update(_end_to_end(reader))
        elif code == CURRENT_SCHEMA:
            reader.u8()
            reader.bytes2()
        elif code == SESSION_STATE:
            reader.ub(8)
        elif code == LOB_OPERATION:
            request.freed_locators += lob_requests.parse_free(reader)
        elif code == APP_CONTEXT:
            _skip_app_context(reader)
        else:
            raise Malformed(f"piggyback {code}")


_TAG_NAMES = ("client_identifier", "module", "action", None, None, "client_info", None, None, "dbop")


def _end_to_end(reader: Reader) -> dict[str, str]:
    """The tags that changed; "" clears one."""
    reader.skip(2)
    reader.ub()
    header = [(name, reader.u8(), reader.ub()) for name in _TAG_NAMES]
    tags: dict[str, str] = {}
    for name, changed, length in header:
        if name is None:
            continue
        if length > 0:
            # A tag in front that was set to "" left a zero byte; no value that is there begins with one.
            while reader.u8() == 0:
                continue
            reader.pos -= 1
            tags[name] = (reader.bytes_() or b"").decode(errors="replace")
        elif changed:
            tags[name] = ""
    return tags


def _skip_app_context(reader: Reader) -> None:
    reader.u8()
    reader.ub()
    reader.u8()
    count = reader.ub()
    reader.ub()
    reader.u8()
    reader.bytes_()
    for _ in range(count):
        reader.bytes2()
        reader.bytes2()
        reader.ub()
