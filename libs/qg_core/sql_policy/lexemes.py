"""An independent reading of where Oracle's literals, quoted names, comments and words begin and end.

This is a guard, not a parser: it knows no grammar. Its only use is to compare boundaries with the tokens of the
parser (`agreement`) and to give the token rules something the parser can't have hidden. It is stricter than
Oracle on purpose: whatever it doesn't know is a finding, never a guess.
Source: Oracle Database SQL Language Reference 19c, "Literals", "Comments", "Database Object Names and Qualifiers".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from .findings import PROBLEMS_MAX, Finding
from .limits import LEXEMES_MAX, NAME_BYTES_MAX


class Kind(Enum):
    WORD = "word"
    QUOTED = "quoted name"
    STRING = "literal"
    NUMBER = "number"
    BIND = "bind"
    SYMBOL = "symbol"
    COMMENT = "comment"


class Lexeme(NamedTuple):
    """One piece of the text, [start, end) in characters. `name` is upper case for words, exact for quoted names."""

    kind: Kind
    name: str
    start: int
    end: int

    def is_symbol(self, *symbols: str) -> bool:
        """Never true for a quoted name such as `"("`, which has the same `name`."""
        return self.kind is Kind.SYMBOL and self.name in symbols

    def is_word(self, *words: str) -> bool:
        """Never true for a quoted name such as `"SELECT"`."""
        return self.kind is Kind.WORD and self.name in words


class Reading(NamedTuple):
    """The code of a statement, its comments (hints among them), and what could not be read."""

    code: list[Lexeme]
    comments: list[Lexeme]
    findings: list[Finding]


_NEXT = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<q_open>[nN]?[qQ]')
    | (?P<string>[nN]?'(?:[^']++|'')*+')
    | (?P<quoted>"[^"]*")
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[dDfF]?)
    | (?P<word>[A-Za-z][A-Za-z0-9_$\#]*)
    | (?P<bind>:[A-Za-z][A-Za-z0-9_$\#]*)
    | (?P<open_comment>/\*)
    | (?P<symbol>\(\+\)|\|\||<=|>=|<>|!=|\^=|=>|[(),.+\-*/=<>])
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSERS = {"[": "]", "{": "}", "(": ")", "<": ">"}
# A word right before a quote is a prefix of the literal for some dialects. Only these may touch one.
_MAY_TOUCH_LITERAL = frozenset(
    {"DATE", "TIMESTAMP", "INTERVAL", "LIKE", "ESCAPE", "AND", "OR", "WHEN", "THEN", "ELSE", "BETWEEN", "SELECT"}
)
# Legal in the PATTERN of MATCH_RECOGNIZE only; `symbols` says where.
_PATTERN_SYMBOLS = frozenset("{}?^$|")


def read(sql_text: str) -> Reading:
    """Split `sql_text` into lexemes. Never raises: what can't be read becomes a finding."""
    code: list[Lexeme] = []
    comments: list[Lexeme] = []
    findings: list[Finding] = []
    position = 0
    # A text of nothing but problems need not be read to its end.
    while position < len(sql_text) and len(findings) < PROBLEMS_MAX:
        if len(code) + len(comments) == LEXEMES_MAX:
            findings.append(Finding(position, "size", f"A statement has at most {LEXEMES_MAX} words and symbols."))
            break
        match = _NEXT.match(sql_text, position)
        group = match.lastgroup if match else None
        if match is None or group is None:
            position = _read_unknown(sql_text, position, code, findings)
            if position < 0:
                break
            continue
        end = match.end()
        if group == "q_open":
            end = _end_of_q_literal(sql_text, match.end())
            if end < 0:
                findings.append(Finding(position, "literal", "This q'...' literal has no end or no usable delimiter."))
                break
            code.append(Lexeme(Kind.STRING, "", position, end))
        elif group == "open_comment":
            findings.append(Finding(position, "comment", "This comment has no end."))
            break
        elif group == "comment":
            comments.append(Lexeme(Kind.COMMENT, sql_text[position:end], position, end))
        elif group != "space":
            code.append(_lexeme(group, match.group(), position, end))
        position = end
    findings.extend(_touching(code))
    return Reading(code, comments, findings)


def _lexeme(group: str, text: str, start: int, end: int) -> Lexeme:
    if group == "word":
        return Lexeme(Kind.WORD, text.upper(), start, end)
    if group == "quoted":
        return Lexeme(Kind.QUOTED, text[1:-1], start, end)
    if group == "bind":
        return Lexeme(Kind.BIND, text[1:].lower(), start, end)
    if group == "string":
        return Lexeme(Kind.STRING, "", start, end)
    return Lexeme(Kind.NUMBER if group == "number" else Kind.SYMBOL, text, start, end)


def _end_of_q_literal(sql_text: str, position: int) -> int:
    """Where the literal ends whose delimiter stands at `position`; -1 when it does not."""
    opener = sql_text[position : position + 1]
    if not ("!" <= opener <= "~") or opener == "'":
        return -1
    closer = _CLOSERS.get(opener, opener) + "'"
    end = sql_text.find(closer, position + 1)
    return -1 if end < 0 else end + 2


def _read_unknown(sql_text: str, position: int, code: list[Lexeme], findings: list[Finding]) -> int:
    """Note a character outside the alphabet; returns where to go on, or -1 when nothing after it can be trusted."""
    char = sql_text[position]
    if char in "'\"":
        findings.append(Finding(position, "literal", "This quote is never closed."))
        return -1
    if char in _PATTERN_SYMBOLS:
        code.append(Lexeme(Kind.SYMBOL, char, position, position + 1))
    elif char == ":":
        findings.append(
            Finding(position, "bind", "A bind is a colon directly followed by a name that begins with a letter.")
        )
    elif char == "@":
        findings.append(Finding(position, "database_link", "Database links (@) are not allowed."))
    elif char == ";":
        findings.append(Finding(position, "semicolon", "One statement, without a semicolon (not even at its end)."))
    elif ord(char) > 126:
        findings.append(
            Finding(
                position,
                "character",
                f"U+{ord(char):04X} can't stand outside literals and quoted names; write such names in double quotes.",
            )
        )
    else:
        findings.append(Finding(position, "symbol", f"The character {char!a} has no meaning in a query."))
    return position + 1


def _touching(code: list[Lexeme]) -> Iterator[Finding]:
    """Pieces that touch and that two readers may therefore cut differently."""
    for index, lexeme in enumerate(code):
        following = code[index + 1] if index + 1 < len(code) else None
        touches = following is not None and following.start == lexeme.end
        if lexeme.kind is Kind.QUOTED:
            yield from _quoted_name(lexeme)
        if not touches or following is None:
            continue
        kinds = (lexeme.kind, following.kind)
        if kinds == (Kind.WORD, Kind.STRING) and lexeme.name not in _MAY_TOUCH_LITERAL:
            yield Finding(
                lexeme.start,
                "literal_prefix",
                f"{lexeme.name}'...' is no literal: only '...', N'...', q'[...]' and nq'[...]' are.",
            )
        elif kinds in (
            (Kind.QUOTED, Kind.QUOTED),
            (Kind.WORD, Kind.QUOTED),
            (Kind.QUOTED, Kind.WORD),
            (Kind.STRING, Kind.STRING),
            (Kind.WORD, Kind.NUMBER),
            (Kind.QUOTED, Kind.NUMBER),
        ):
            yield Finding(following.start, "adjacent", "Put a space between these two.")
        elif lexeme.kind is Kind.NUMBER and following.kind in (Kind.WORD, Kind.NUMBER, Kind.STRING, Kind.QUOTED):
            yield Finding(following.start, "adjacent", "Put a space after the number.")
        elif lexeme.kind is Kind.BIND and (
            following.kind in (Kind.BIND, Kind.STRING, Kind.QUOTED) or following.is_symbol(".", "$")
        ):
            yield Finding(following.start, "bind", "Nothing may touch the end of a bind's name.")


def _quoted_name(lexeme: Lexeme) -> Iterator[Finding]:
    if not lexeme.name.strip() or "\n" in lexeme.name or len(lexeme.name.encode(errors="replace")) > NAME_BYTES_MAX:
        yield Finding(lexeme.start, "quoted_name", f"A quoted name has 1 to {NAME_BYTES_MAX} bytes and no line break.")
