"""The one command: it fails when any gate fails, and its last line counts every test."""

import sys
from pathlib import Path

import pytest

from qg_devstack.gates import Gate, Outcome, count_tests, gates, run, run_beside, summary

ROOT = Path(__file__).resolve().parents[3]

_REPORT = """<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10"/></testsuites>"""


def gate(status: int) -> Gate:
    return Gate("sample", "a sample", (sys.executable, "-c", f"raise SystemExit({status})"))


def test_a_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(_REPORT)
    assert count_tests(report) == {"failed": 2, "passed": 4, "skipped": 3, "error": 1}


def test_the_last_line_sums_all_runs() -> None:
    outcomes = [
        Outcome(gate(0), 0, 1.0, {}),
        Outcome(Gate("a", "", (), counts_tests=True), 0, 2.5, {"failed": 0, "passed": 4, "skipped": 1}),
        Outcome(Gate("b", "", (), counts_tests=True), 1, 1.0, {"failed": 1, "passed": 2, "skipped": 0}),
    ]
    text = summary(outcomes)
    assert text.splitlines()[-1] == "============ 1 failed, 6 passed, 1 skipped in 3.50s ============"
    assert "FAILED (status 1)" in text


def test_a_gate_keeps_the_status_of_its_command(tmp_path: Path) -> None:
    assert run(gate(0), tmp_path).status == 0
    assert run(gate(3), tmp_path).status == 3


def test_gates_beside_each_other_keep_their_order_and_their_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = run_beside([gate(0), gate(3), gate(0)], tmp_path)
    assert [outcome.status for outcome in outcomes] == [0, 3, 0]
    assert capsys.readouterr().out.count("=== sample: a sample ===") == 3


def test_every_test_folder_is_run_once() -> None:
    unit, others, e2e = (gate.command for gate in gates(ROOT, workers=2) if gate.counts_tests)
    assert [part for part in unit if part.startswith(("tests", "--ignore"))] == ["tests/unit"]
    left_out = [part for part in others if part.startswith(("tests", "--ignore"))]
    assert left_out == ["tests", "--ignore=tests/unit", "--ignore=tests/e2e"]
    assert [part for part in e2e if part.startswith(("tests", "--ignore"))] == ["tests/e2e"]


def test_tests_that_are_run_beside_other_gates_are_counted(tmp_path: Path) -> None:
    counting = "import sys; open(sys.argv[1].partition('=')[2], 'w').write('" + _REPORT.replace('"', "\\x22") + "')"
    (outcome,) = run_beside([Gate("a", "", (sys.executable, "-c", counting), counts_tests=True)], tmp_path)
    assert (outcome.status, outcome.tests["passed"]) == (0, 4)
