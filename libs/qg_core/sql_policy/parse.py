"""From text to one tree, with every failure of the parser as a finding."""

from __future__ import annotations

import logging

from sqlglot import exp
from sqlglot.dialects.oracle import Oracle
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token

from .findings import Finding

_ORACLE = Oracle()
# Its warnings quote the statement, and a statement never goes into a log.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
_ADVICE = "If the database accepts it, put it into a database view and select from that."


class ParseRefused(Exception):
    """The parser can't read the statement."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def tokenize(sql_text: str) -> list[Token]:
    """The parser's tokens. Raises ParseRefused, RecursionError."""
    try:
        return _ORACLE.tokenize(sql_text)
    except TokenError:
        # Its text quotes the statement with terminal codes and has no line; the scan names the place if it can.
        raise ParseRefused(Finding(0, "syntax", f"The statement can't be read. {_ADVICE}")) from None


def parse(sql_text: str, tokens: list[Token]) -> exp.Expr:
    """The one statement in `tokens`. Raises ParseRefused, RecursionError."""
    try:
        roots = _ORACLE.parser().parse(tokens, sql_text)
    except ParseError as error:
        raise ParseRefused(_finding(sql_text, error)) from None
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 - the parser has bugs; none of them may become a 500
        name = type(error).__name__
        raise ParseRefused(Finding(0, "syntax", f"The parser failed ({name}). {_ADVICE}")) from None
    if len(roots) != 1 or roots[0] is None:
        raise ParseRefused(Finding(0, "semicolon", "Exactly one statement is needed."))
    return roots[0]


def _finding(sql_text: str, error: ParseError) -> Finding:
    details = error.errors[0] if error.errors else {}
    line = details.get("line") or 1
    column = details.get("col") or 1
    description = (details.get("description") or "Invalid expression / Unexpected token").rstrip(".")
    if "<" in description or len(description) > 200 or not description.isprintable():
        description = "Invalid expression"
    lines = sql_text.split("\n")
    before = sum(len(text) + 1 for text in lines[: line - 1])
    highlight = len(details.get("highlight") or "")
    return Finding(before + max(column - max(highlight, 1), 0), "syntax", f"{description}. {_ADVICE}")
