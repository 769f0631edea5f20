"""What a client can ask for: zero or more piggybacks, then exactly one function. `request_parser` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from qg_standin.binds import BindType, RawRow
from qg_standin.lob_requests import LobCall
from qg_standin.logon import LogonRequest
from qg_standin.spot_answers import SpotAnswer

EXECUTE, FETCH, LOGOFF, COMMIT, ROLLBACK = 94, 5, 9, 14, 15
REEXECUTE, REEXECUTE_AND_FETCH, LOB_OPERATION = 4, 78, 96
AUTH_PHASE_TWO, AUTH_PHASE_ONE, PING, VERSION = 115, 118, 147, 59
CLOSE_CURSORS, END_TO_END, CURRENT_SCHEMA, APP_CONTEXT, SESSION_STATE = 105, 135, 152, 154, 176

OPTION_PARSE, OPTION_DEFINE, OPTION_EXECUTE, OPTION_FETCH = 0x01, 0x10, 0x20, 0x40
OPTION_COMMIT, OPTION_PLSQL, OPTION_DESCRIBE, OPTION_BATCH_ERRORS = 0x100, 0x400, 0x20000, 0x80000


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
