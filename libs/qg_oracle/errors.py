"""Errors of the driver and the database, classified by code in one place.

What a caller of the gateway sees is one of qg_core's errors with its fixed sentence; the code goes into
`GatewayError.cause_code` for the event. Messages of the database are never passed on: they name schemas and objects.
Sources: Oracle Database Error Messages; `oracledb/errors.py` of 26.1 for DPY-.
"""

import enum
import re
import ssl

import msgspec
import oracledb

from qg_core.errors import DatabaseBusy, DatabaseUnreachable, GatewayError, QueryFailed, QueryRefused, QueryTimedOut

BUSY_RETRY_AFTER_S = 2
UNREACHABLE_RETRY_AFTER_S = 5


class FailureKind(enum.StrEnum):
    BUSY = "busy"
    """A limit of the database or of the account: it may work in a moment."""
    UNREACHABLE = "unreachable"
    """No session could be had: network, listener, start-up, TLS."""
    REFUSED = "refused"
    """The account can't sign in: wrong password, locked, expired. Trying again can lock it."""
    LOST = "lost"
    """An open session went away."""
    TIMED_OUT = "timed_out"
    """A time limit passed, ours or the database's."""
    QUERY = "query"
    """The statement itself: wrong, not allowed, or its result can't be represented."""


_BUSY = frozenset(
    {18, 19, 20, 51, 54, 60, 257, 1000, 1555, 1652, 1653, 2391, 4020, 4021, 4030, 4031, 4036, 4068, 7454, 8103, 8176}
    | {8177, 12516, 12518, 12519, 12520, 12526, 12527, 12528, 12805, 12850, 12852, 12853, 24418, 24457, 24459, 24496}
    | {30006, 30036}
)
_UNREACHABLE = frozenset(
    {1033, 1034, 1035, 1089, 1090, 1109, 3136, 12150, 12154, 12157, 12170, 12203, 12222, 12223, 12224, 12225, 12227}
    | {12500, 12502, 12505, 12509, 12510, 12511, 12514, 12521, 12523, 12525, 12529, 12531, 12532, 12533, 12535, 12537}
    | {12540, 12541, 12543, 12545, 12547, 12560, 12564, 12566, 12571, 12592, 12599, 12606, 12609, 12637, 12650, 12660}
    | {16456, 27101, 28759, 28860, 28862, 28864, 28865, 29024}
)
_REFUSED = frozenset({1004, 1005, 1017, 1045, 28000, 28001, 28002, 28003, 28009, 28030, 28040, 28043, 28365, 46981})
_LOST = frozenset(
    {22, 28, 31, 45, 378, 600, 602, 603, 609, 1012, 1041, 1043, 1092, 2392, 2394, 2396, 2397, 2399, 3113, 3114, 3122}
    | {3135, 7445, 12153, 12570, 12583, 25401, 25402, 25403, 25405, 25408, 25425, 27146, 28511, 56600}
)
_TIMED_OUT = frozenset({40, 1013, 2393, 2395, 3111, 3156, 7455, 56720, 56735})

_DRIVER: dict[int, FailureKind] = {
    1001: FailureKind.LOST,
    1002: FailureKind.UNREACHABLE,
    2018: FailureKind.UNREACHABLE,
    3010: FailureKind.UNREACHABLE,
    3015: FailureKind.REFUSED,
    4001: FailureKind.REFUSED,
    4005: FailureKind.BUSY,
    4011: FailureKind.LOST,
    4019: FailureKind.UNREACHABLE,
    4024: FailureKind.TIMED_OUT,
    4032: FailureKind.UNREACHABLE,
    4033: FailureKind.LOST,
    4035: FailureKind.REFUSED,
}

_CODE = re.compile(r"\b(ORA|DPY)-(\d{4,6})\b")
_TNS_CODE = re.compile(r"\(ERR(?:OR)?=(\d{3,5})\)|ORA-(\d{5})")

_REASONS: dict[int, str] = {
    900: "the statement is not valid SQL",
    904: "a column or function name is not known",
    905: "a keyword is missing",
    907: "a right parenthesis is missing",
    909: "a function has the wrong number of arguments",
    911: "a character is not valid",
    918: "a column name is ambiguous",
    923: "FROM is missing where it was expected",
    932: "data types do not match",
    933: "the statement does not end properly",
    936: "an expression is missing",
    937: "a column is neither grouped nor aggregated",
    942: "a table or view does not exist or is not visible to this account",
    972: "a name is too long",
    979: "an expression is not a GROUP BY expression",
    1008: "a bind has no value",
    1013: "the query was cancelled",
    1031: "the account lacks a privilege",
    1403: "no data was found",
    1427: "a single-row subquery returned several rows",
    1476: "division by zero",
    1722: "a text could not be converted to a number",
    1756: "a quoted string is not closed",
    1789: "the parts of a set operation have different numbers of columns",
    1790: "the parts of a set operation have different types",
    1830: "a date format ends before the text does",
    1839: "a date is not valid for its month",
    1841: "a year is out of range",
    1843: "a month is not valid",
    1847: "a day of the month is out of range",
    1858: "a non-numeric character was found in a date",
    1861: "a text does not match its date format",
    6550: "a PL/SQL block failed to compile",
    6553: "a PL/SQL function can't be used here",
    12801: "a parallel query failed",
    20000: "the database raised an application error",
}


class Failure(msgspec.Struct, frozen=True):
    """One classified error: `code` such as `ORA-00942`, `offset` the position in the statement (0-based) if known."""

    kind: FailureKind
    code: str
    offset: int | None = None


def classify(error: BaseException, *, logging_on: bool = False) -> Failure:
    """What an exception out of a driver call means; `logging_on` while a session is being opened."""
    if isinstance(error, oracledb.Error):
        return _classify_driver_error(error, logging_on)
    if isinstance(error, TimeoutError):
        return Failure(FailureKind.UNREACHABLE if logging_on else FailureKind.TIMED_OUT, "timeout")
    if isinstance(error, ssl.SSLError):
        return Failure(FailureKind.UNREACHABLE if logging_on else FailureKind.LOST, "tls")
    if isinstance(error, OSError):
        return Failure(FailureKind.UNREACHABLE if logging_on else FailureKind.LOST, "network")
    # Values the driver can't turn into Python ones (a date before the year 1, malformed text) end up here.
    return Failure(FailureKind.UNREACHABLE if logging_on else FailureKind.QUERY, type(error).__name__)


def to_gateway_error(failure: Failure) -> GatewayError:
    """The error a caller sees, with the code for the event."""
    error: GatewayError
    match failure.kind:
        case FailureKind.BUSY:
            error = DatabaseBusy(retry_after_s=BUSY_RETRY_AFTER_S)
        case FailureKind.UNREACHABLE | FailureKind.LOST:
            error = DatabaseUnreachable(retry_after_s=UNREACHABLE_RETRY_AFTER_S)
        case FailureKind.REFUSED:
            error = DatabaseUnreachable()
        case FailureKind.TIMED_OUT:
            error = QueryTimedOut()
        case FailureKind.QUERY:
            error = QueryFailed()
    error.cause_code = failure.code
    return error


def to_preview_error(failure: Failure) -> GatewayError:
    """The same for a preview: what is wrong with the statement is a 400 that says the class of error."""
    if failure.kind is not FailureKind.QUERY:
        return to_gateway_error(failure)
    error = QueryRefused(f"The database refused the query: {describe_refusal(failure)}.")
    error.cause_code = failure.code
    return error


def describe_refusal(failure: Failure) -> str:
    """A phrase for an admin: the class of error, its code and where in the statement; no names of objects."""
    number = int(failure.code[4:]) if failure.code.startswith("ORA-") else 0
    if 20_000 <= number <= 20_999:
        number = 20_000
    reason = _REASONS.get(number, "its result or a bind can't be represented" if number == 0 else "see the code")
    place = f", at character {failure.offset + 1}" if failure.offset else ""
    return f"{reason} ({failure.code}{place})"


def _classify_driver_error(error: oracledb.Error, logging_on: bool) -> Failure:
    details = error.args[0] if error.args else None
    full_code = str(getattr(details, "full_code", ""))
    number = int(getattr(details, "code", 0) or 0)
    offset = getattr(details, "offset", None)
    place = offset if isinstance(offset, int) and offset > 0 else None
    if number:
        code = f"ORA-{number:05}"
        kind = _kind_of_ora(number)
        if kind is FailureKind.QUERY and (logging_on or getattr(details, "is_session_dead", False)):
            kind = FailureKind.UNREACHABLE if logging_on else FailureKind.LOST
        return Failure(kind, code, place)
    match = _CODE.search(full_code)
    driver_number = int(match.group(2)) if match else 0
    code = match.group(0) if match else "DPY"
    if 6000 <= driver_number < 7000 or (logging_on and driver_number not in _DRIVER):
        return _classify_refused_connect(error, code)
    return Failure(_DRIVER.get(driver_number, FailureKind.QUERY), code, place)


def _classify_refused_connect(error: BaseException, code: str) -> Failure:
    """A listener's answer hides in the text of the causes: `(ERR=12516)` or "Similar to ORA-12516"."""
    cause: BaseException | None = error
    while cause is not None:
        for found in _TNS_CODE.finditer(str(cause)):
            number = int(found.group(1) or found.group(2))
            kind = _kind_of_ora(number)
            if kind in {FailureKind.BUSY, FailureKind.REFUSED}:
                return Failure(kind, f"ORA-{number:05}")
            if kind is FailureKind.UNREACHABLE:
                code = f"ORA-{number:05}"
        cause = cause.__cause__
    return Failure(FailureKind.UNREACHABLE, code)


def _kind_of_ora(number: int) -> FailureKind:
    for kind, numbers in (
        (FailureKind.LOST, _LOST),
        (FailureKind.TIMED_OUT, _TIMED_OUT),
        (FailureKind.BUSY, _BUSY),
        (FailureKind.REFUSED, _REFUSED),
        (FailureKind.UNREACHABLE, _UNREACHABLE),
    ):
        if number in numbers:
            return kind
    return FailureKind.QUERY
