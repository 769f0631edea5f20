"""Deny by default: which names before an opening parenthesis may be called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .findings import Finding
from .functions import (
    BUILT_IN_FUNCTIONS,
    ENVIRONMENT_NAMES,
    NEVER_FUNCTIONS,
    PATTERN_FUNCTIONS,
    PSEUDO_COLUMNS,
)
from .lexemes import Kind, Lexeme
from .regions import Regions
from .words import OPEN_RESERVED, RESERVED_WORDS, is_syntax

_NAMES = (Kind.WORD, Kind.QUOTED)
_NO_FUNCTIONS = RESERVED_WORDS | PSEUDO_COLUMNS | {"TRUE", "FALSE"}
_INTERVAL_FIELDS = frozenset({"DAY", "HOUR", "MINUTE", "MONTH", "SECOND", "YEAR"})


def check_calls(
    code: Sequence[Lexeme],
    regions: Regions,
    *,
    allowed: frozenset[str],
    name_starts: frozenset[int],
    column_list_starts: frozenset[int],
) -> Iterator[Finding]:
    """Findings for every call outside the closed list and `allowed` (upper-case names, dotted or not).

    `name_starts` are the offsets where the parse sees a name and no syntax, `column_list_starts` those of CTE names
    that are followed by their column list.
    """
    if "DBMS_RANDOM.VALUE" not in allowed:
        yield from _random_without_parentheses(code)
    for index in range(len(code) - 1):
        lexeme, following = code[index], code[index + 1]
        if not following.is_symbol("(") or lexeme.kind not in _NAMES:
            continue
        if lexeme.start in column_list_starts or regions.in_pattern(index):
            continue
        path = dotted_path(code, index)
        if path == ["EXTRACT"] and not _takes_field(code, index + 2):
            yield Finding(
                lexeme.start, "forbidden_function", "EXTRACT takes a field FROM a date; that of XML is never allowed."
            )
        elif len(path) > 1:
            if ".".join(path) not in allowed or path[-1] in NEVER_FUNCTIONS:
                yield Finding(lexeme.start, _rule(path), _message(path))
        elif not _is_open(code, index, regions, allowed, name_starts):
            yield Finding(lexeme.start, _rule(path), _message(path))


def check_certain_calls(code: Sequence[Lexeme], allowed: frozenset[str]) -> Iterator[Finding]:
    """The calls that are wrong whatever the parse would have been: for statements the parser can't read."""
    for index in range(len(code) - 1):
        lexeme, following = code[index], code[index + 1]
        if not following.is_symbol("(") or lexeme.kind not in _NAMES:
            continue
        path = dotted_path(code, index)
        if path[-1] in NEVER_FUNCTIONS or (len(path) > 1 and ".".join(path) not in allowed):
            yield Finding(lexeme.start, _rule(path), _message(path))


def dotted_path(code: Sequence[Lexeme], index: int) -> list[str]:
    """The names of `a.b.c` that end at `index`, first to last."""
    path = [code[index].name]
    while index >= 2 and code[index - 1].is_symbol(".") and code[index - 2].kind in _NAMES:
        index -= 2
        path.insert(0, code[index].name)
    if index >= 1 and code[index - 1].is_symbol("."):
        path.insert(0, "...")  # a method of a call's or subquery's result: never on any list
    return path


def _is_open(
    code: Sequence[Lexeme], index: int, regions: Regions, allowed: frozenset[str], name_starts: frozenset[int]
) -> bool:
    lexeme = code[index]
    name = lexeme.name
    if name in NEVER_FUNCTIONS:
        return False
    if name in allowed:
        return True
    if lexeme.kind is Kind.QUOTED:
        return False  # a quoted name is never syntax, and no built-in needs the quotes
    if name in BUILT_IN_FUNCTIONS or (name in PATTERN_FUNCTIONS and regions.in_match_recognize(index)):
        return True
    if _is_interval_precision(code, index):
        return True
    if lexeme.start in name_starts:
        return False  # the parser takes it for a name, whatever the word
    if name == "LATERAL" and not _begins_query(code, index + 2):
        return False
    return name in OPEN_RESERVED or _is_syntax(code, index)


def _takes_field(code: Sequence[Lexeme], index: int) -> bool:
    return index + 1 < len(code) and code[index].kind is Kind.WORD and code[index + 1].is_word("FROM")


def _begins_query(code: Sequence[Lexeme], index: int) -> bool:
    return index < len(code) and (code[index].is_word("SELECT", "WITH") or code[index].is_symbol("("))


def _is_interval_precision(code: Sequence[Lexeme], index: int) -> bool:
    """DAY(3) of `INTERVAL '400' DAY(3)`, which the parser takes for a call."""
    before = code[max(index - 2, 0) : index]
    return (
        code[index].name in _INTERVAL_FIELDS
        and [piece.kind for piece in before] == [Kind.WORD, Kind.STRING]
        and before[0].is_word("INTERVAL")
    )


def _is_syntax(code: Sequence[Lexeme], index: int) -> bool:
    if not index:
        return False
    previous = code[index - 1]
    after_operand = previous.kind is not Kind.SYMBOL or previous.is_symbol(")", "(+)")
    spelled = previous.name if previous.kind in (Kind.WORD, Kind.SYMBOL) else ""
    return is_syntax(code[index].name, spelled, after_operand=after_operand)


def check_members(code: Sequence[Lexeme], placed: frozenset[int], allowed: frozenset[str]) -> Iterator[Finding]:
    """Every dot must join names that were resolved, or that `check_calls` judges: a name that the tree keeps as
    mere text would be called unseen."""
    for index, lexeme in enumerate(code):
        if not lexeme.is_symbol("."):
            continue
        before = code[index - 1] if index else None
        if before is None or before.kind not in _NAMES:
            yield Finding(lexeme.start, "method_call", "Methods and attributes of a result are not allowed.")
        elif before.start not in placed and not _ends_in_call(code, index, allowed):
            yield Finding(before.start, "package_call", f"{before.name} is used in a place where no names are known.")


def check_arguments(code: Sequence[Lexeme], regions: Regions, name_starts: frozenset[int]) -> Iterator[Finding]:
    """A name that is an argument by itself must be a name for the parse, too: of some functions it makes a mere text
    (`trunc(sysdate, my_func)`), which nobody would resolve."""
    for index in range(1, len(code) - 1):
        lexeme = code[index]
        if lexeme.kind not in _NAMES or lexeme.start in name_starts or regions.in_pattern(index):
            continue
        if not code[index - 1].is_symbol("(", ",") or not code[index + 1].is_symbol(")", ","):
            continue
        if lexeme.kind is Kind.QUOTED or lexeme.name not in _NO_FUNCTIONS:
            message = f"{lexeme.name} is used in a place where no names are known, so it may be a function."
            yield Finding(lexeme.start, "function", message)


def _ends_in_call(code: Sequence[Lexeme], index: int, allowed: frozenset[str]) -> bool:
    """Whether the dotted name around the dot at `index` is called with parentheses, or is allowed as a whole."""
    while index + 2 < len(code) and code[index + 2].is_symbol("."):
        index += 2
    called = index + 2 < len(code) and code[index + 2].is_symbol("(")
    return called or ".".join(dotted_path(code, min(index + 1, len(code) - 1))) in allowed


def _random_without_parentheses(code: Sequence[Lexeme]) -> Iterator[Finding]:
    """`dbms_random.value` is a function of its own for the parser, so the tree has no name to resolve."""
    for index in range(len(code) - 2):
        name, dot, member = code[index : index + 3]
        called = index + 3 < len(code) and code[index + 3].is_symbol("(")
        if name.is_word("DBMS_RANDOM") and dot.is_symbol(".") and member.is_word("VALUE") and not called:
            yield Finding(name.start, "package_call", _message(["DBMS_RANDOM", "VALUE"]))


def _rule(path: list[str]) -> str:
    if len(path) > 1:
        return "method_call" if path[0] == "..." else "package_call"
    if path[0] in ("TABLE", "THE", "CONTAINERS", "SHARDS", "EXTERNAL"):
        return "table_function"
    if path[0] in NEVER_FUNCTIONS:
        return "forbidden_function"
    return "environment" if path[0] in ENVIRONMENT_NAMES else "function"


def _message(path: list[str]) -> str:
    name = ".".join(part for part in path if part != "...")
    if path[-1] in NEVER_FUNCTIONS:
        return f"{name} is never allowed."
    return f"{name} is not among the functions that statements of this connection may call."
