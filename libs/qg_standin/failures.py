"""Oracle errors, and which one each complaint of the engine or the parser becomes."""

from __future__ import annotations

import re

MESSAGES = {
    1: "unique constraint violated",
    18: "maximum number of sessions exceeded",
    900: "invalid SQL statement",
    904: "invalid identifier",
    907: "missing right parenthesis",
    911: "invalid character",
    918: "column ambiguously defined",
    923: "FROM keyword not found where expected",
    932: "inconsistent datatypes",
    933: "SQL command not properly ended",
    936: "missing expression",
    942: "table or view does not exist",
    979: "not a GROUP BY expression",
    1008: "not all variables bound",
    1013: "user requested cancel of current operation",
    1017: "invalid username/password; logon denied",
    1031: "insufficient privileges",
    1400: "cannot insert NULL",
    1426: "numeric overflow",
    1427: "single-row subquery returns more than one row",
    1476: "divisor is equal to zero",
    1722: "invalid number",
    1756: "quoted string not properly terminated",
    1861: "literal does not match format string",
    2290: "check constraint violated",
    2291: "integrity constraint violated - parent key not found",
    4030: "out of process memory",
    6550: "line 1, column 1: PL/SQL is not supported by this server",
    12514: "TNS:listener does not currently know of service requested in connect descriptor",
    12516: "TNS:listener could not find available handler with matching protocol stack",
}


class OracleError(Exception):
    """A statement failed; the session goes on."""

    def __init__(self, code: int, detail: str | None = None, position: int = 0) -> None:
        self.code = code
        self.position = position
        self.text = f"ORA-{code:05d}: {detail or MESSAGES.get(code, 'error of the stand-in')}"
        super().__init__(self.text)


UNSUPPORTED = 20999


def unsupported(what: str) -> OracleError:
    """What a real server could do and this one can't; never a code that ends the connection."""
    return OracleError(UNSUPPORTED, f"the stand-in does not support {what}")


_MISSING_COLUMN = re.compile(r'(?:Referenced column|Values list "[^"]*" does not have a column named) "([^"]+)"')
_MISSING_IN_TABLE = re.compile(r'Table "([^"]+)" does not have a column named "([^"]+)"')
_MISSING_TABLE = re.compile(r'Referenced table "([^"]+)" not found')
_MISSING_FUNCTION = re.compile(r"Function with name \"?([\w$]+)\"? does not exist", re.IGNORECASE)
_RAISED = re.compile(r"ORA-(\d{5}): ([^\n]*)")

_ENGINE_PATTERNS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"^INTERRUPT Error|Interrupted", 1013),
        (r"(Table|View) with name .* does not exist|schema .* does not exist", 942),
        (r"ambiguous", 918),
        (r"must appear in the GROUP BY clause|cannot contain aggregates", 979),
        (r"More than one row returned by a subquery", 1427),
        (r"(Could not convert string|Could not cast).*(timestamp|date)", 1861),
        (r"Could not parse string .* according to format|Could not convert string .* to (TIMESTAMP|DATE)", 1861),
        (r"(timestamp|date) field value out of range|invalid (timestamp|date)", 1861),
        (r"Conversion Error: Could not (convert string|cast string)", 1722),
        (r"Conversion Error: (Casting value|Could not cast value|Type .* can't be cast)", 1426),
        (r"Out of Range Error|Overflow", 1426),
        (r"Could not choose a best candidate function|No function matches", 932),
        (r"Cannot compare values of type|Cannot mix values of type|Type mismatch", 932),
        (r"NOT NULL constraint failed", 1400),
        (r"Duplicate key|unique constraint|primary key constraint", 1),
        (r"CHECK constraint failed", 2290),
        (r"foreign key constraint", 2291),
        (r"Out of Memory Error", 4030),
        (r"Values were not provided for the following prepared statement parameters", 1008),
        (r"Parser Error", 933),
    )
)


def from_engine(message: str) -> OracleError:
    """The Oracle error for one of the engine's messages."""
    if raised := _RAISED.search(message):
        return OracleError(int(raised[1]), raised[2])
    if found := _MISSING_IN_TABLE.search(message):
        return OracleError(904, f'"{found[1].upper()}"."{found[2].upper()}": invalid identifier')
    for pattern in (_MISSING_COLUMN, _MISSING_TABLE, _MISSING_FUNCTION):
        if found := pattern.search(message):
            return OracleError(904, f'"{found[1].upper()}": invalid identifier')
    for known, code in _ENGINE_PATTERNS:
        if known.search(message):
            return OracleError(code)
    return OracleError(UNSUPPORTED, message.partition("\n")[0][:200])
