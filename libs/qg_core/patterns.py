"""Which regular expressions an admin may put on a parameter: those whose matching stays cheap on any input.

Python's engine backtracks, and the text it reads comes from consumers. So the accepted expressions are a subset whose
number of ways to fail is bounded and counted: no look-around, back references, conditions or inline flags; nothing
variable inside something variable, but `(?:-[a-z0-9]+)*` and the like, where a separator says where each turn begins.
The expression is read by Python's own parser.
"""

import math
import re
from collections.abc import Iterable

# The only reader of the syntax that the engine itself uses. mypy misses the names in a run with a cache only.
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]
from re import _parser  # type: ignore[attr-defined, unused-ignore]
from typing import Any

import msgspec

from qg_core.pattern_items import REPEATS, SINGLE, Item, are_apart, can_be, firsts, singles, unwrapped

PATTERN_LENGTH_MAX = 500
STEPS_MAX = 4_000_000
"""How many steps an expression may cost at worst, ways to split the text times its length: some 20 ms of work."""


class _Choices(msgspec.Struct):
    """What was counted so far: the ranges of variable repeats, and branches of alternatives."""

    ranges: list[int] = []
    branches: int = 1

    def ways(self, max_length: int) -> int:
        """How many ways to split a text at most: not more than the repeats allow, nor than there are places to cut."""
        cuts = math.comb(max_length + len(self.ranges), len(self.ranges))
        return self.branches * min(math.prod(self.ranges), cuts)


def check_pattern(pattern: str, max_length: int) -> re.Pattern[str]:
    """Compile an expression that is cheap to match (`fullmatch`) on every text of at most `max_length` characters.

    Raises `ValueError` with a sentence that says what is wrong or not accepted.
    """
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise ValueError(f"must have at most {PATTERN_LENGTH_MAX} characters")
    try:
        compiled = re.compile(pattern)
        tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if tree.state.flags & ~re.UNICODE.value:
        raise ValueError("may not hold inline flags such as (?i)")
    choices = _Choices()
    _count(list(tree), max_length, choices, [])
    if choices.ways(max_length) * max_length > STEPS_MAX:
        raise ValueError(
            "could take too long on a long text: use fewer open-ended repeats (such as .*) or a smaller max_length"
        )
    return compiled


def _count(items: list[Item], max_length: int, choices: _Choices, after: list[Item]) -> None:
    """Count into `choices`; `after` is what can come first behind `items`."""
    for position, (code, argument) in enumerate(items):
        if code in SINGLE or code is op.AT:
            continue
        following = firsts(items[position + 1 :], after)
        if code is op.SUBPATTERN:
            _group, added, removed, body = argument
            if added or removed:
                raise ValueError("may not hold inline flags such as (?i:...)")
            _count(list(body), max_length, choices, following)
        elif code is op.ATOMIC_GROUP:
            _count(list(argument), max_length, choices, following)
        elif code is op.BRANCH:
            choices.branches *= len(argument[1])
            for branch in argument[1]:
                _count(list(branch), max_length, choices, following)
        elif code in REPEATS:
            _count_repeat(argument, max_length, choices, following)
        else:
            raise ValueError("may hold no look-around, back reference or condition")


def _count_repeat(argument: Any, max_length: int, choices: _Choices, following: list[Item]) -> None:
    least, most, body = argument
    body = unwrapped(body)
    inner = _Choices()
    _count(body, max_length, inner, body)
    span = min(int(most), max_length) - min(int(least), max_length) + 1
    if _varies(body):
        if not _separated(body):
            raise ValueError("may not repeat something that repeats, unless each turn begins with a separator")
        span = max_length
    elif inner.branches > 1:
        if not _told_apart(body):
            raise ValueError("may not repeat alternatives, unless each begins with another character")
        span = max_length
    # Where what follows can't be read by the repeat itself there is one place to stop: no choice to go back to.
    if span > 1 and not are_apart(singles(body), following):
        choices.ranges.append(span)


def _varies(items: Iterable[Item]) -> bool:
    """Whether a repeat of variable length is anywhere inside."""
    for code, argument in items:
        if code in REPEATS and (argument[0] != argument[1] or _varies(argument[2])):
            return True
        if code is op.SUBPATTERN and _varies(argument[3]):
            return True
        if code is op.ATOMIC_GROUP and _varies(argument):
            return True
        if code is op.BRANCH and any(_varies(branch) for branch in argument[1]):
            return True
    return False


def _separated(items: list[Item]) -> bool:
    """Whether the first item is a literal that nothing after it can be, with one repeat of one character there."""
    if items[0][0] is not op.LITERAL:
        return False
    separator = chr(items[0][1])
    repeats = 0
    for code, argument in items[1:]:
        if code in REPEATS:
            repeats += 1
            inner = unwrapped(argument[2])
            if len(inner) != 1 or inner[0][0] not in SINGLE or can_be(inner[0], separator):
                return False
        elif code not in SINGLE or can_be((code, argument), separator):
            return False
    return repeats == 1


def _told_apart(items: list[Item]) -> bool:
    """Whether the body is alternatives of fixed characters that each begin with another literal."""
    if len(items) != 1 or items[0][0] is not op.BRANCH:
        return False
    literals = []
    for branch in items[0][1][1]:
        codes = [code for code, _ in branch]
        if not codes or codes[0] is not op.LITERAL or any(code not in SINGLE for code in codes):
            return False
        literals.append(branch[0][1])
    return len(set(literals)) == len(literals)
