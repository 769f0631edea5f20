"""Patterns of parameters: what is accepted matches in bounded time, the known blow-ups are refused."""

import time

import pytest

from qg_core.patterns import PATTERN_LENGTH_MAX, check_pattern

_ACCEPTED = [
    (r"[a-z]+(?:-[a-z]+)*", 4000),
    (r"\d{4}-\d{2}-\d{2}", 4000),
    (r"^[A-Z]{2}\d{3,}$", 4000),
    (r"\d+(\.\d+)?", 4000),
    (r"\w+@\w+\.\w+", 4000),
    (r"(?:red|green|blue)", 4000),
    (r"(?:ab|cd)*", 4000),
    (r"[^,]+(,[^,]+)*", 4000),
    (r".*foo.*", 1900),
    (r".*a.*a.*a", 60),
    (r"\w*\w*!", 1500),
    (r"[ab]*a[ab]*b", 150),
    ("", 10),
]


@pytest.mark.parametrize(("pattern", "length"), _ACCEPTED)
def test_accepted_patterns_are_quick_on_hostile_text(pattern: str, length: int) -> None:
    compiled = check_pattern(pattern, length)
    turns = ["a", "-a", "1", "ab", ",", "foo", "1.1", "a@a", "a@a.a", "b"]
    begun = time.perf_counter()
    for turn in turns:
        text = (turn * length)[: length - 1]
        compiled.fullmatch(text)
        compiled.fullmatch(text + "\n")
    assert time.perf_counter() - begun < 2.0


@pytest.mark.parametrize(
    ("pattern", "length", "says"),
    [
        (r"(a+)+", 100, "repeat something that repeats"),
        (r"(a*)*", 100, "repeat something that repeats"),
        (r"(.?)*", 100, "repeat something that repeats"),
        (r"((a{1,5}){1,5}){1,5}", 100, "repeat something that repeats"),
        (r"(?:a?){50}a{50}", 100, "repeat something that repeats"),
        (r"(?:-[a-z-]+)*", 100, "repeat something that repeats"),
        (r"(?:-a+a+)*", 100, "repeat something that repeats"),
        (r"(?:-(?:ab)*)*", 100, "repeat something that repeats"),
        (r"(a|a)*", 100, "alternatives"),
        (r"(a|ab)*", 100, "alternatives"),
        (r"(|a)*", 100, "alternatives"),
        (r"(.|b)*c", 100, "too long|alternatives"),
        (r".*.*.*.*", 4000, "too long"),
        (r"\w*\w*!", 4000, "too long"),
        ("a?" * 30 + "a" * 30, 100, "too long"),
        ("(a|a)" * 30, 100, "too long"),
        (r"(?=a)a", 100, "look-around"),
        (r"(?!a)b", 100, "look-around"),
        (r"(?<=a)b", 100, "look-around"),
        (r"(a)\1", 100, "back reference"),
        (r"(?P<x>a)(?P=x)", 100, "back reference"),
        (r"(a)?(?(1)b|c)", 100, "condition"),
        (r"(?i)a", 100, "flags"),
        (r"(?i:a)", 100, "flags"),
        (r"(", 100, "no regular expression"),
        (r"[", 100, "no regular expression"),
        (r"a{1,99999999999}", 100, "no regular expression"),
        ("(" * 2_000, 100, "at most"),
        ("a" * (PATTERN_LENGTH_MAX + 1), 100, "at most"),
    ],
)
def test_refused_patterns_say_why(pattern: str, length: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_pattern(pattern, length)


def test_many_groups_do_no_harm() -> None:
    assert check_pattern("(" * 90 + "a" + ")" * 90, 100).fullmatch("a")
