"""The third layer: rules on the unquoted words and symbols, which no parse can hide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .findings import Finding
from .functions import ENVIRONMENT_NAMES
from .lexemes import Kind, Lexeme
from .regions import Regions
from .words import STATEMENT_WORDS

_PATTERN_QUANTIFIER = re.compile(r"\{(?:[0-9]+,?[0-9]*|,[0-9]+)\}|\{-")
_REFUSED_HINTS = re.compile(
    r"(?<![A-Z0-9_$#])(PARALLEL|PARALLEL_INDEX|SHARED|ENABLE_PARALLEL_DML|ENABLE_PARALLEL_QUERY|OPT_PARAM"
    r"|DRIVING_SITE|REMOTE_MAPPED)(?![A-Z0-9_$#])",
    re.IGNORECASE,
)
_ONLY_IN_PATTERN = frozenset("{}?^$|")
_IN_PATTERN = _ONLY_IN_PATTERN | frozenset("()*+,-") | {"||", "(+)"}
_TYPED_LITERALS = frozenset({"DATE", "TIMESTAMP", "INTERVAL"})


def check_code(sql_text: str, code: Sequence[Lexeme], regions: Regions, allowed: frozenset[str]) -> Iterator[Finding]:
    """Every rule that needs the code alone."""
    yield from _root(code)
    yield from _statement_words(code)
    yield from _symbols(sql_text, code, regions)
    yield from _concatenations(code)
    yield from _environment(code, allowed)


def check_hints(comments: Sequence[Lexeme]) -> Iterator[Finding]:
    """Hints are kept but for those that change how much of the machine, or which machine, a statement uses."""
    for comment in comments:
        # Wherever it stands: Oracle reads hints after the first word of each query block, `--+` as well.
        if comment.name[2:3] != "+":
            continue
        for match in _REFUSED_HINTS.finditer(comment.name):
            yield Finding(comment.start + match.start(), "hint", f"The hint {match.group().upper()} is not allowed.")


def _root(code: Sequence[Lexeme]) -> Iterator[Finding]:
    first = next((lexeme for lexeme in code if not lexeme.is_symbol("(")), None)
    if first is None:
        yield Finding(0, "empty", "The statement is empty.")
    elif not first.is_word("SELECT", "WITH"):
        yield Finding(first.start, "root", "A statement begins with SELECT or WITH.")


def _statement_words(code: Sequence[Lexeme]) -> Iterator[Finding]:
    for index, lexeme in enumerate(code):
        if lexeme.kind is not Kind.WORD:
            continue
        before = code[index - 1].name if index and code[index - 1].kind is Kind.WORD else ""
        if lexeme.name == "UPDATE" and before == "FOR":
            yield Finding(lexeme.start, "for_update", "FOR UPDATE is not allowed: it locks rows.")
        elif lexeme.name in STATEMENT_WORDS:
            rule = STATEMENT_WORDS[lexeme.name]
            yield Finding(lexeme.start, rule, f"{lexeme.name} has no place in a query.")
        elif before == "WITH" and lexeme.name in ("FUNCTION", "PROCEDURE"):
            yield Finding(lexeme.start, "plsql", "Functions can't be declared in a statement.")
        elif lexeme.name in ("NEXTVAL", "CURRVAL") or (before == "NEXT" and lexeme.name == "VALUE"):
            yield Finding(lexeme.start, "sequence", "Sequences can't be used: reading one changes it.")


def _symbols(sql_text: str, code: Sequence[Lexeme], regions: Regions) -> Iterator[Finding]:
    for index, lexeme in enumerate(code):
        if lexeme.kind is Kind.QUOTED and lexeme.name in ("NEXTVAL", "CURRVAL"):
            yield Finding(lexeme.start, "sequence", "Sequences can't be used: reading one changes it.")
        if regions.in_pattern(index) and not _may_stand_in_pattern(lexeme):
            yield Finding(lexeme.start, "symbol", "A PATTERN holds names, groups and quantifiers only.")
        if lexeme.kind is not Kind.SYMBOL or lexeme.name not in _ONLY_IN_PATTERN:
            continue
        if not regions.in_pattern(index) or not _is_pattern_syntax(sql_text, lexeme):
            yield Finding(lexeme.start, *_symbol_reason(lexeme.name))


def _may_stand_in_pattern(lexeme: Lexeme) -> bool:
    """The parser keeps the pattern as text, so nothing that could be called may hide there."""
    if lexeme.kind is Kind.SYMBOL:
        return lexeme.name in _IN_PATTERN
    return lexeme.kind in (Kind.WORD, Kind.QUOTED, Kind.NUMBER)


def _is_pattern_syntax(sql_text: str, lexeme: Lexeme) -> bool:
    if lexeme.name == "{":
        return _PATTERN_QUANTIFIER.match(sql_text, lexeme.start) is not None
    return lexeme.name != "$" or sql_text[lexeme.end : lexeme.end + 1] != "{"


def _symbol_reason(symbol: str) -> tuple[str, str]:
    if symbol == "?":
        return "positional_bind", "Positional binds (?) are not allowed; name them, as in :customer_id."
    if symbol in "{}$":
        return "template", "Template marks ($, {, }) are not allowed; use binds."
    return "symbol", f"The character {symbol} has no meaning here."


def _concatenations(code: Sequence[Lexeme]) -> Iterator[Finding]:
    """`||` or `+` right beside a literal. The walk over the tree finds those behind parentheses as well."""
    for index, lexeme in enumerate(code):
        if not lexeme.is_symbol("||", "+"):
            continue
        left = code[index - 1] if index else None
        before_left = code[index - 2].name if index >= 2 and code[index - 2].kind is Kind.WORD else ""
        following = index + 1
        while following < len(code) and code[following].is_symbol("("):
            following += 1
        right = code[following] if following < len(code) else None
        if (left and left.kind is Kind.STRING and before_left not in _TYPED_LITERALS) or (
            right and right.kind is Kind.STRING
        ):
            yield concatenation(lexeme.start)


def concatenation(offset: int) -> Finding:
    """The finding for a literal glued to something at `offset`."""
    return Finding(
        offset,
        "concatenation",
        "A string literal can't be glued to something with || or +; use CONCAT, and binds for values.",
    )


def _environment(code: Sequence[Lexeme], allowed: frozenset[str]) -> Iterator[Finding]:
    for index, lexeme in enumerate(code):
        if lexeme.name not in ENVIRONMENT_NAMES or lexeme.kind not in (Kind.WORD, Kind.QUOTED):
            continue
        dotted = index and code[index - 1].is_symbol(".")
        qualifies = index + 1 < len(code) and code[index + 1].is_symbol(".", "(")
        named = index and code[index - 1].is_word("AS")
        if not dotted and not qualifies and not named and lexeme.name not in allowed:
            yield Finding(
                lexeme.start,
                "environment",
                f"{lexeme.name} tells about the session and is not allowed; qualify it if it is a column.",
            )
