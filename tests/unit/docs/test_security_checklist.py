"""Every control of the checklist names files that exist and tests that `make test` runs."""

import re
from pathlib import Path

from tests.unit.docs.checklist import CHECKLIST, Control, controls, controls_of
from tests.unit.docs.named_tests import LEFT_OUT_OF_MAKE_TEST, ROOT, marks_of, named_in

CONTROLS = controls()

MAKE_TEST_FOLDERS = ("tests/unit/", "tests/integration/", "tests/e2e/")
OTHER_FOLDERS = ("tests/images/",)
"""Tests that need Docker: more evidence, never the only one."""


def problems_of(control: Control, root: Path = ROOT) -> list[str]:
    """What is wrong with a row."""
    found = [f"{place} is no file" for place in control.places if not (root / place).is_file()]
    found += [] if control.places else ["names no file"]
    found += [] if control.tests else ["names no test"]
    run = 0
    for test in control.tests:
        marks = marks_of(test, root)
        if marks is None:
            found.append(f"{test} is no test")
        elif not test.startswith((*MAKE_TEST_FOLDERS, *OTHER_FOLDERS)):
            found.append(f"{test} is in a folder that nobody runs")
        elif test.startswith(MAKE_TEST_FOLDERS) and not marks & LEFT_OUT_OF_MAKE_TEST:
            run += 1
    return found if run or found else ["no named test is run by `make test`"]


def test_every_control_has_a_place_and_tests() -> None:
    assert {control.id: found for control in CONTROLS if (found := problems_of(control))} == {}


def test_ids_are_unique_and_in_order_within_their_area() -> None:
    sections = re.split(r"^## ", CHECKLIST.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    bases = []
    for section in sections:
        numbers = [int(control.id.removeprefix("C")) for control in controls_of(section)]
        assert numbers == sorted(set(numbers)), section.splitlines()[0]
        bases.append({number // 100 for number in numbers})
    assert all(len(base) == 1 for base in bases), "an area has a hundred of its own"
    assert len(set().union(*bases)) == len(bases), "no two areas share a hundred"


def test_every_line_that_looks_like_a_row_is_read_as_one() -> None:
    lines = [line for line in CHECKLIST.read_text(encoding="utf-8").splitlines() if line.startswith("| C")]
    assert len(lines) == len(CONTROLS) >= 150


def test_a_row_that_promises_too_much_is_seen(tmp_path: Path) -> None:
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "code.py").touch()
    (tmp_path / "tests/unit/test_long.py").write_text("pytestmark = [pytest.mark.long]\ndef test_x(): ...\n")
    (tmp_path / "tests/unit/test_x.py").write_text(
        "import pytest\nasync def test_there(): ...\n@pytest.mark.long\ndef test_long(): ...\n"
        "class TestOne:\n    @pytest.mark.fault\n    def test_in(self): ...\nTestTwo = machine.TestCase\n"
        "def helper():\n    def test_inner(): ...\n"
    )
    assert set(named_in(tmp_path / "tests/unit/test_x.py")) == {
        "test_there",
        "test_long",
        "TestOne::test_in",
        "TestTwo",
    }
    x = "tests/unit/test_x.py"
    good = [f"{x}::{name}" for name in ("test_there", "TestOne::test_in", "TestTwo")]
    for places, tests, expected in (
        (("code.py",), good, []),
        (("code.py",), [*good, f"{x}::test_inner"], [f"{x}::test_inner is no test"]),
        (("code.py",), [f"{x}::test_gone"], [f"{x}::test_gone is no test"]),
        (("code.py",), ["tests/unit/gone.py::test_x"], ["tests/unit/gone.py::test_x is no test"]),
        (("code.py",), [f"{x}::test_long"], ["no named test is run by `make test`"]),
        (("code.py",), ["tests/unit/test_long.py::test_x"], ["no named test is run by `make test`"]),
        (("code.py",), [], ["names no test"]),
        ((), good, ["names no file"]),
        (("gone.py",), good, ["gone.py is no file"]),
    ):
        assert problems_of(Control("C1", "x", places, tuple(tests)), tmp_path) == expected
