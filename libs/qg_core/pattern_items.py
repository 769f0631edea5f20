"""What the items of a parsed regular expression can read: which characters, which first, and which never.

An item is what Python's own parser makes of a piece of an expression: a pair of its code and argument.
"""

import re
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]  # the only reader of the syntax that the engine itself uses
from typing import Any

_RANGE_LISTED_MAX = 1_000

SINGLE = frozenset({op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN})
REPEATS = frozenset({op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT})
_CATEGORIES = {
    op.CATEGORY_DIGIT: re.compile(r"\d"),
    op.CATEGORY_NOT_DIGIT: re.compile(r"\D"),
    op.CATEGORY_SPACE: re.compile(r"\s"),
    op.CATEGORY_NOT_SPACE: re.compile(r"\S"),
    op.CATEGORY_WORD: re.compile(r"\w"),
    op.CATEGORY_NOT_WORD: re.compile(r"\W"),
}


Item = tuple[Any, Any]
"""One item of a parsed expression: its code and argument."""


def singles(items: Iterable[Item]) -> list[Item]:
    """Every single-character item inside."""
    found: list[Item] = []
    for code, argument in items:
        if code in SINGLE:
            found.append((code, argument))
        elif code in REPEATS:
            found.extend(singles(argument[2]))
        elif code is op.SUBPATTERN:
            found.extend(singles(argument[3]))
        elif code is op.ATOMIC_GROUP:
            found.extend(singles(argument))
        elif code is op.BRANCH:
            found.extend(item for branch in argument[1] for item in singles(branch))
    return found


def firsts(items: list[Item], after: list[Item]) -> list[Item]:
    """The single-character items that can come first in `items` followed by `after`; empty when only the end can."""
    found, passable = _begin(items)
    return [*found, *after] if passable else found


def _begin(items: Iterable[Item]) -> tuple[list[Item], bool]:
    """What can come first in `items`, and whether `items` can be passed without reading anything."""
    found: list[Item] = []
    for code, argument in items:
        if code is op.AT:
            continue
        if code in SINGLE:
            return [*found, (code, argument)], False
        if code in REPEATS:
            begun, passable = _begin(argument[2])
            passable = passable or argument[0] == 0
        elif code is op.SUBPATTERN:
            begun, passable = _begin(argument[3])
        elif code is op.BRANCH:
            branches = [_begin(branch) for branch in argument[1]]
            begun = [item for first, _ in branches for item in first]
            passable = any(can_pass for _, can_pass in branches)
        else:
            begun, passable = singles([(code, argument)]), True
        found.extend(begun)
        if not passable:
            return found, False
    return found, True


def are_apart(read: list[Item], following: list[Item]) -> bool:
    """Whether no character of `following` can be read by `read`; False when that can't be told exactly."""
    for code, argument in following:
        characters = _characters((code, argument))
        if characters is None or any(can_be(item, character) for item in read for character in characters):
            return False
    return True


def _characters(item: Item) -> list[str] | None:
    """All characters of an item when it lists them, else None."""
    code, argument = item
    if code is op.LITERAL:
        return [chr(argument)]
    if code is not op.IN:
        return None
    found: list[str] = []
    for part, value in argument:
        if part is op.LITERAL:
            found.append(chr(value))
        elif part is op.RANGE and value[1] - value[0] <= _RANGE_LISTED_MAX:
            found.extend(chr(point) for point in range(value[0], value[1] + 1))
        else:
            return None
    return found


def unwrapped(body: Any) -> list[Item]:
    """The items of a repeat's body without the groups that hold nothing but it."""
    items = list(body)
    while len(items) == 1 and items[0][0] is op.SUBPATTERN and not items[0][1][1] and not items[0][1][2]:
        items = list(items[0][1][3])
    return items


def can_be(item: Item, character: str) -> bool:
    """Whether a single-character item matches `character`."""
    code, argument = item
    if code is op.LITERAL:
        return bool(argument == ord(character))
    if code is op.NOT_LITERAL:
        return bool(argument != ord(character))
    if code is op.ANY:
        return character != "\n"
    negated = bool(argument) and argument[0][0] is op.NEGATE
    return negated != any(_member(part, character) for part in argument)


def _member(part: Item, character: str) -> bool:
    code, argument = part
    if code is op.LITERAL:
        return bool(argument == ord(character))
    if code is op.RANGE:
        return bool(argument[0] <= ord(character) <= argument[1])
    if code is op.CATEGORY:
        return _CATEGORIES[argument].match(character) is not None
    return False
