"""What would make the parser slow or recurse too deep, found before it runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .findings import Finding
from .lexemes import Kind, Lexeme
from .limits import DOTTED_NAMES_MAX, LITERAL_CHARS_MAX, LITERAL_RUN_MAX, NESTING_DEPTH_MAX, PIVOT_COLUMNS_MAX

_LONG_RUN = re.compile(rf"[0-9]{{{LITERAL_RUN_MAX + 1}}}|\s{{{LITERAL_RUN_MAX + 1}}}")


def check_cost(sql_text: str, code: Sequence[Lexeme]) -> Finding | None:
    """The first reason not to parse the statement at all."""
    return check_nesting(code) or check_chains(code) or check_pivots(code) or check_literals(sql_text, code)


def check_literals(sql_text: str, code: Sequence[Lexeme]) -> Finding | None:
    """The parser looks for an interval in most literals, in time quadratic to a run of digits or white space."""
    for lexeme in code:
        if lexeme.kind is not Kind.STRING:
            continue
        if lexeme.end - lexeme.start > LITERAL_CHARS_MAX:
            message = f"A literal has at most {LITERAL_CHARS_MAX} characters."
            return Finding(lexeme.start, "literal", message)
        if lexeme.end - lexeme.start > LITERAL_RUN_MAX:
            run = _LONG_RUN.search(sql_text, lexeme.start, lexeme.end)
            if run:
                message = f"A literal has at most {LITERAL_RUN_MAX} digits or white space in a row; use a bind."
                return Finding(run.start(), "literal", message)
    return None


def check_nesting(code: Sequence[Lexeme]) -> Finding | None:
    """The limit that keeps the parser's recursion in bounds: the depth of parentheses and CASE."""
    parens = cases = 0
    for lexeme in code:
        if lexeme.is_symbol("(", ")"):
            parens = max(parens + (1 if lexeme.name == "(" else -1), 0)
        elif lexeme.is_word("CASE", "END"):
            cases = max(cases + (1 if lexeme.name == "CASE" else -1), 0)
        if parens + cases > NESTING_DEPTH_MAX:
            return Finding(lexeme.start, "nesting", f"Parentheses and CASE nest at most {NESTING_DEPTH_MAX} deep.")
    return None


def check_chains(code: Sequence[Lexeme]) -> Finding | None:
    """The limit on `a.b.c...`: every name of a chain is judged by the whole chain."""
    last_dot, names = -2, 1
    for index, lexeme in enumerate(code):
        if lexeme.is_symbol("."):
            names = names + 1 if last_dot == index - 2 else 2
            last_dot = index
            if names > DOTTED_NAMES_MAX:
                return Finding(lexeme.start, "nesting", f"At most {DOTTED_NAMES_MAX} names can be joined by dots.")
    return None


def check_pivots(code: Sequence[Lexeme]) -> Finding | None:
    """The parser multiplies the items of a PIVOT into column names: bound the product, and allow one IN list only."""
    frames: list[_Frame] = []
    for index, lexeme in enumerate(code):
        if lexeme.is_symbol("("):
            frames.append(_Frame(is_pivot=index > 0 and code[index - 1].is_word("PIVOT")))
        elif not frames:
            continue
        elif lexeme.is_symbol(","):
            frames[-1].items += 1
        elif lexeme.is_word("IN"):
            frames[-1].lists += 1
        elif lexeme.is_symbol(")"):
            frame = frames.pop()
            if frames:
                frames[-1].items_inside = max(frames[-1].items_inside, frame.items)
            if frame.is_pivot and (frame.lists > 1 or frame.items * frame.items_inside > PIVOT_COLUMNS_MAX):
                return Finding(
                    lexeme.start, "pivot", f"A PIVOT has one IN list and makes at most {PIVOT_COLUMNS_MAX} columns."
                )
    return None


class _Frame:
    """What is counted between one pair of parentheses."""

    def __init__(self, *, is_pivot: bool) -> None:
        self.is_pivot = is_pivot
        self.items = 1
        self.items_inside = 1
        self.lists = 0
