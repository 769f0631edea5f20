"""Every attack of the corpus is refused for the rule it names; every legal statement passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qg_core.sql_policy import SqlRefused
from qg_core.sql_policy.policy import check

_CORPUS = Path(__file__).parent / "corpus"


def entries(name: str) -> list[tuple[str, str]]:
    """(header, statement) of each entry. Line ends are kept as they are: some statements hold CR LF."""
    text = (_CORPUS / name).read_bytes().decode()
    split = [part.partition("\n") for part in re.split(r"^%% ", text, flags=re.MULTILINE)[1:]]
    return [(header.strip(), body.removesuffix("\n").removesuffix("\r")) for header, _, body in split]


def attack(header: str, body: str) -> tuple[str, str]:
    """(rule, statement), with its escapes undone where the header says so."""
    if "!escaped" in header:
        body = re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match.group(1), 16)), body)
    return header.split()[0], body


ATTACKS = [attack(header, body) for header, body in entries("attacks.txt")]
LEGAL = entries("legal.txt")


def test_the_corpora_are_as_large_as_promised() -> None:
    assert len(ATTACKS) >= 550
    assert len({statement for _, statement in ATTACKS}) == len(ATTACKS)
    assert len(LEGAL) >= 170
    assert len({statement for _, statement in LEGAL}) == len(LEGAL)


@pytest.mark.parametrize(("rule", "statement"), ATTACKS)
def test_attack_is_refused(rule: str, statement: str) -> None:
    with pytest.raises(SqlRefused) as refused:
        check(statement)
    problems = refused.value.problems
    assert rule in {problem.rule for problem in problems}
    lines = statement.split("\n")
    for problem in problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert "\x1b" not in problem.message
        assert problem.message.isprintable()


@pytest.mark.parametrize(("title", "statement"), LEGAL)
def test_legal_statement_passes(title: str, statement: str) -> None:
    facts = check(statement)
    assert len(set(facts.binds)) == len(facts.binds)
    assert all(bind == bind.lower() for bind in facts.binds)
