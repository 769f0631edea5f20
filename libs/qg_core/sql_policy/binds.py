"""Bind names: what the parser, the driver and the database all take for the same bind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot.dialects.oracle import Oracle
from sqlglot.tokenizer_core import TokenType

from .findings import Finding
from .lexemes import Kind, Lexeme
from .limits import BINDS_MAX, NAME_BYTES_MAX
from .words import RESERVED_WORDS

_KEYWORDS: dict[str, TokenType] = Oracle.Tokenizer.KEYWORDS
# The parser takes no placeholder from these: it would report a syntax error that nobody understands.
_UNPARSED = frozenset(
    word
    for word, token_type in _KEYWORDS.items()
    if token_type not in Oracle.Parser.COLON_PLACEHOLDER_TOKENS and word.isidentifier()
)


def bind_names(code: Sequence[Lexeme]) -> tuple[str, ...]:
    """The distinct binds in lower case, in order of first appearance."""
    return tuple(dict.fromkeys(lexeme.name for lexeme in code if lexeme.kind is Kind.BIND))


def check_binds(code: Sequence[Lexeme]) -> Iterator[Finding]:
    """Names the database or the driver would refuse, and colons that only some readers take for a bind."""
    names: set[str] = set()
    for index, lexeme in enumerate(code):
        if lexeme.kind is not Kind.BIND:
            continue
        upper = lexeme.name.upper()
        if upper in RESERVED_WORDS or upper in _UNPARSED:
            yield Finding(lexeme.start, "bind", f"{upper} is a reserved word and can't name a bind.")
        if len(lexeme.name) > NAME_BYTES_MAX:
            yield Finding(lexeme.start, "bind", f"A bind's name has at most {NAME_BYTES_MAX} characters.")
        if index and code[index - 1].kind is Kind.STRING:
            # The driver takes `'key' :value` for the JSON syntax and sends no bind.
            yield Finding(lexeme.start, "bind", "No bind directly after a literal; write KEY '...' VALUE :name.")
        names.add(lexeme.name)
    if len(names) > BINDS_MAX:
        yield Finding(0, "bind", f"A statement has at most {BINDS_MAX} binds.")
