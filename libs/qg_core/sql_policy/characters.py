"""Which characters a statement may hold at all, in code, literals and comments alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from .findings import PROBLEMS_MAX, Finding
from .limits import STATEMENT_BYTES_MAX

# Control characters but tab and newline; CR only as part of CR LF: a lone CR ends a line comment for the parser
# and the driver, but not for the database. U+2028 and U+2029 end one for the driver only. Bidirectional controls
# make a reviewer read another statement than the database does. Lone surrogates have no UTF-8.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]|\r(?!\n)"
)


def check_size(sql_text: str) -> Finding | None:
    """The limit on the whole text: STATEMENT_BYTES_MAX bytes of UTF-8, and at least one visible character."""
    if len(sql_text.encode(errors="surrogatepass")) > STATEMENT_BYTES_MAX:
        return Finding(0, "size", f"A statement has at most {STATEMENT_BYTES_MAX} bytes.")
    if not sql_text.strip():
        return Finding(0, "empty", "The statement is empty.")
    return None


def check_characters(sql_text: str) -> Iterator[Finding]:
    """The first characters that are refused wherever they stand."""
    for match in islice(_FORBIDDEN.finditer(sql_text), PROBLEMS_MAX):
        char = match.group()
        name = "A carriage return without a line feed" if char == "\r" else f"The character U+{ord(char):04X}"
        yield Finding(match.start(), "control_character", f"{name} is not allowed.")
