"""Where MATCH_RECOGNIZE and its PATTERN stand: there some characters and functions mean something else."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from .lexemes import Kind, Lexeme
from .limits import LEXEMES_MAX


class Regions(NamedTuple):
    """Index ranges [first, last] of lexemes, in order and without overlap within each tuple."""

    match_recognize: tuple[tuple[int, int], ...]
    patterns: tuple[tuple[int, int], ...]

    def in_match_recognize(self, index: int) -> bool:
        return _within(self.match_recognize, index)

    def in_pattern(self, index: int) -> bool:
        return _within(self.patterns, index)


def _within(ranges: tuple[tuple[int, int], ...], index: int) -> bool:
    at = bisect_right(ranges, (index, LEXEMES_MAX * 4)) - 1
    return at >= 0 and ranges[at][0] <= index <= ranges[at][1]


def find_regions(code: Sequence[Lexeme]) -> Regions:
    """The outermost MATCH_RECOGNIZE (...) ranges and the PATTERN (...) ranges directly inside one."""
    match_recognize: list[tuple[int, int]] = []
    patterns: list[tuple[int, int]] = []
    open_parens: list[tuple[int, str]] = []
    for index, lexeme in enumerate(code):
        if lexeme.kind is not Kind.SYMBOL:
            continue
        if lexeme.name == "(":
            previous = code[index - 1] if index else None
            word = previous.name if previous and previous.kind is Kind.WORD else ""
            open_parens.append((index, word))
        elif lexeme.name == ")" and open_parens:
            first, word = open_parens.pop()
            if word == "MATCH_RECOGNIZE":
                # An inner one closed before: the outer range swallows it.
                match_recognize = [r for r in match_recognize if r[0] < first]
                match_recognize.append((first, index))
            elif word == "PATTERN" and open_parens and open_parens[-1][1] == "MATCH_RECOGNIZE":
                patterns.append((first, index))
    return Regions(tuple(sorted(match_recognize)), tuple(sorted(patterns)))
