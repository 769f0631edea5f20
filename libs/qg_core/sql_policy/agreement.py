"""The parser and the independent scan must cut the text in the same places; else the statement is refused."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from .findings import Finding
from .lexemes import Kind, Lexeme

_LITERALS = frozenset(
    {TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.RAW_STRING, TokenType.NATIONAL_RAW_STRING}
)
_KIND_OF = {**dict.fromkeys(_LITERALS, Kind.STRING), TokenType.IDENTIFIER: Kind.QUOTED}
_MESSAGE = "The parser reads a literal, name or comment here differently from the database; write it more plainly."


def disagreement(code: Sequence[Lexeme], tokens: Sequence[Token]) -> Finding | None:
    """The first place where both readings differ, or None.

    Both must cover the same characters in groups with equal ends (`order by` is one token and two lexemes, `:a` is
    two tokens and one lexeme), and literals and quoted names must be the same, one to one.
    """
    tokens = [token for token in tokens if token.token_type is not TokenType.HINT]
    i = j = 0
    while i < len(code) and j < len(tokens):
        lexeme, token = code[i], tokens[j]
        start, lexeme_end, token_end = lexeme.start, lexeme.end, token.end + 1
        if start != token.start:
            return Finding(min(start, token.start), "disagreement", _MESSAGE)
        literal = lexeme.kind in (Kind.STRING, Kind.QUOTED) or token.token_type in _KIND_OF
        if literal and (_KIND_OF.get(token.token_type) is not lexeme.kind or lexeme_end != token_end):
            return Finding(start, "disagreement", _MESSAGE)
        i, j = i + 1, j + 1
        while lexeme_end != token_end:
            if lexeme_end < token_end:
                if i == len(code) or code[i].start >= token_end or code[i].kind in (Kind.STRING, Kind.QUOTED):
                    return Finding(start, "disagreement", _MESSAGE)
                lexeme_end, i = code[i].end, i + 1
            else:
                if j == len(tokens) or tokens[j].start >= lexeme_end or tokens[j].token_type in _KIND_OF:
                    return Finding(start, "disagreement", _MESSAGE)
                token_end, j = tokens[j].end + 1, j + 1
    if i < len(code):
        return Finding(code[i].start, "disagreement", _MESSAGE)
    if j < len(tokens):
        return Finding(tokens[j].start, "disagreement", _MESSAGE)
    return None
