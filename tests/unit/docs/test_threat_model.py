"""The threat model speaks of controls, assets and risks that exist, and leaves no control without a threat."""

import re
from pathlib import Path

from tests.unit.docs.checklist import controls

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "threat_model.md").read_text(encoding="utf-8")
CONTROLS = [control.id for control in controls()]

_ROW = re.compile(r"^\| (?P<id>[ATR]\d+) \|(?P<cells>.*)\|$", re.MULTILINE)
_CONTROL = re.compile(r"\bC(\d{3,4})(?:-C(\d{3,4}))?\b")


def rows(letter: str) -> dict[str, list[str]]:
    """Rows by id; a row that is there twice is an error."""
    found = [(row["id"], [cell.strip() for cell in row["cells"].split("|")]) for row in _ROW.finditer(PAGE)]
    chosen = [(name, cells) for name, cells in found if name.startswith(letter)]
    assert len({name for name, _ in chosen}) == len(chosen)
    return dict(chosen)


def controls_in(text: str) -> list[str]:
    """The ids that a text names; both ends of a range must exist, what lies between them counts."""
    found: list[str] = []
    for first, last in _CONTROL.findall(text):
        low, high = int(first), int(last or first)
        assert low <= high
        assert {f"C{low}", f"C{high}"} <= set(CONTROLS), f"C{first}-C{last}" if last else f"C{first}"
        found += [name for name in CONTROLS if low <= int(name[1:]) <= high]
    return found


def test_every_control_that_is_named_exists_and_every_one_is_named() -> None:
    assert set(controls_in(PAGE)) == set(CONTROLS)


def test_every_threat_has_controls_or_is_accepted() -> None:
    for name, (_, assets, answers, left) in rows("T").items():
        assert controls_in(answers) or set(re.findall(r"R\d+", left)) & set(rows("R")), name
        assert assets, name


def test_assets_and_risks_that_are_named_exist() -> None:
    for letter in "AR":
        assert set(re.findall(rf"\b{letter}\d+\b", PAGE)) == set(rows(letter))
    for _, assets, _, _ in rows("T").values():
        assert re.fullmatch(r"A\d+(-A\d+)?(, A\d+(-A\d+)?)*", assets)


def test_every_risk_says_what_limits_it() -> None:
    assert all(len(cells) == 2 and all(cells) for cells in rows("R").values())


def test_ids_are_in_order_and_other_threats_that_are_named_exist() -> None:
    for letter in "ATR":
        assert [int(name[1:]) for name in rows(letter)] == list(range(1, len(rows(letter)) + 1))
    assert set(re.findall(r"\bT\d+\b", PAGE)) == set(rows("T"))
