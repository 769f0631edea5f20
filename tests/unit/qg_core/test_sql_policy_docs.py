"""docs/sql_policy.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qg_core.sql_policy import functions, limits
from qg_core.sql_policy.findings import RULES

_ROOT = Path(__file__).parents[3]
_DOCS = (_ROOT / "docs" / "sql_policy.md").read_text()
_CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize(
    ("block", "names"),
    [
        ("functions", functions.BUILT_IN_FUNCTIONS),
        ("never", functions.NEVER_FUNCTIONS),
        ("pseudo", functions.PSEUDO_COLUMNS),
        ("environment", functions.ENVIRONMENT_NAMES),
    ],
)
def test_lists_are_complete(block: str, names: frozenset[str]) -> None:
    text = re.search(rf"<!-- {block}: begin.*?-->(.*?)<!-- {block}: end -->", _DOCS, re.DOTALL)
    assert text is not None
    listed = re.findall(r"`([^`]+)`", text.group(1))
    assert len(listed) == len(set(listed))
    assert set(listed) == names


def test_every_rule_has_its_row() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", _DOCS, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == RULES


def test_every_rule_the_code_names_is_known() -> None:
    sources = [*(_ROOT / "libs/qg_core/sql_policy").glob("*.py"), _ROOT / "services/control_plane/sql_check.py"]
    named = {
        rule
        for source in sources
        for rule in re.findall(r"(?:Finding\([^\"()]*(?:\([^)]*\))?[^\"()]*|1, 1, )\"([a-z_]+)\"", source.read_text())
    }
    assert len(named) > 25
    assert named <= RULES


def test_the_corpus_attacks_nearly_every_rule() -> None:
    attacked = set(re.findall(r"^%% ([a-z_]+)", (_CORPUS / "attacks.txt").read_text(), re.MULTILINE))
    assert RULES - attacked <= {"time", "size"}  # other tests: these need a slow process and a large text
    assert attacked <= RULES


def test_limits_are_told() -> None:
    for number in (
        limits.LEXEMES_MAX,
        limits.LITERAL_CHARS_MAX,
        limits.LITERAL_RUN_MAX,
        limits.NESTING_DEPTH_MAX,
        limits.PIVOT_COLUMNS_MAX,
        limits.BINDS_MAX,
        limits.NAME_BYTES_MAX,
        limits.STATEMENT_BYTES_MAX // 1024,
    ):
        assert re.search(rf"\b{number:,}\b", _DOCS), number


def test_lists_do_not_contradict_each_other() -> None:
    assert not functions.BUILT_IN_FUNCTIONS & functions.NEVER_FUNCTIONS
    assert not functions.BUILT_IN_FUNCTIONS & functions.ENVIRONMENT_NAMES
    assert not functions.PSEUDO_COLUMNS & functions.ENVIRONMENT_NAMES
    assert not functions.PATTERN_FUNCTIONS & functions.NEVER_FUNCTIONS
