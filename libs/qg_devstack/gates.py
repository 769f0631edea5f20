"""The quality gates behind `make test`: run them all, show what failed, and end with one line for all tests.

`python -m qg_devstack.gates [--workers N] [gate ...]`; without names every gate runs, and a failure does not stop the
ones after it, so that one run shows everything. Exit status 1 when any gate failed.

Gates of one process each run beside each other, the unit tests among them: they wait for nobody. The runs of tests that
start servers, which take all processors, come one after the other.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_CHECKED = ("libs", "services", "tests", "benchmarks", "supply_chain", "helm")


@dataclass(frozen=True)
class Gate:
    """One check: `command` runs in the clone's root.

    `counts_tests` when it is a run of tests; `alone` when it takes every core; `quiet` when only its failures are worth
    showing.
    """

    name: str
    purpose: str
    command: tuple[str, ...]
    counts_tests: bool = False
    alone: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Outcome:
    """How one gate went."""

    gate: Gate
    status: int
    duration_s: float
    tests: dict[str, int]


def gates(root: Path, workers: int) -> list[Gate]:
    """All gates in the order in which they begin: the quick ones first, then the longest."""
    tools = Path(sys.executable).parent
    checked = tuple(name for name in _CHECKED if (root / name).is_dir())
    pytest = (str(tools / "pytest"), "-q", "-m", "not long")
    # By file: what a file prepares once is prepared once. In the order of tests/conftest.py: the slowest files first.
    divided = (*pytest, "--dist", "loadfile", "--no-loadscope-reorder", "-n")
    return [
        Gate("lint", "ruff check", (str(tools / "ruff"), "check", ".")),
        Gate("format", "ruff format --check", (str(tools / "ruff"), "format", "--check", ".")),
        Gate("imports", "import-linter contracts", (str(tools / "lint-imports"), "--no-logo")),
        # In one process: with several, each would collect all the others' tests, too, and tell of every one it has run.
        Gate("unit", "unit tests", (*pytest, "tests/unit"), counts_tests=True),
        Gate("types", "mypy --strict", (str(tools / "mypy"), *checked)),
        # Else every test process would compile all of them for itself.
        Gate(
            "collect",
            "every other test module can be imported",
            (str(tools / "pytest"), "--collect-only", "-qq", "tests", "--ignore=tests/unit"),
            quiet=True,
        ),
        Gate(
            "tests",
            "integration tests, real servers",
            (*divided, str(workers), "tests", "--ignore=tests/unit", "--ignore=tests/e2e"),
            counts_tests=True,
            alone=True,
        ),
        # Apart from the others: they kill, starve and time processes, and wait most of the time.
        Gate(
            "e2e",
            "end-to-end tests, real processes",
            (*divided, str(max(1, workers - 1)), "tests/e2e"),
            counts_tests=True,
            alone=True,
        ),
    ]


def run(gate: Gate, root: Path) -> Outcome:
    """Run one gate with its output shown as it comes."""
    print(_title(gate), flush=True)
    return _run(gate, root, None)[0]


def run_beside(gates: Sequence[Gate], root: Path) -> list[Outcome]:
    """Run gates at the same time; what each says is shown when it ends."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(lambda gate: _run_quietly(gate, root), gates))


def _run_quietly(gate: Gate, root: Path) -> Outcome:
    outcome, said = _run(gate, root, subprocess.PIPE)
    shown = "" if gate.quiet and outcome.status == 0 else said.decode(errors="replace")
    print(f"{_title(gate)}\n{shown}", end="", flush=True)
    return outcome


def _run(gate: Gate, root: Path, output: int | None) -> tuple[Outcome, bytes]:
    """The outcome, and what the gate said when `output` is PIPE."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "junit.xml")
        extra = (f"--junitxml={report}",) if gate.counts_tests else ()
        merged = None if output is None else subprocess.STDOUT
        ended = subprocess.run([*gate.command, *extra], cwd=root, check=False, stdout=output, stderr=merged)
        tests = count_tests(report) if report.exists() else {}
    return Outcome(gate, ended.returncode, time.monotonic() - started, tests), ended.stdout or b""


def _title(gate: Gate) -> str:
    return f"\n=== {gate.name}: {gate.purpose} ==="


def count_tests(report: Path) -> dict[str, int]:
    """Tests of a pytest run by outcome, from the report it wrote."""
    counts = {"failed": 0, "passed": 0, "skipped": 0, "error": 0}
    names = {"failures": "failed", "errors": "error", "skipped": "skipped"}
    for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314 - written by our own pytest a moment ago
        bad = 0
        for attribute, outcome in names.items():
            number = int(suite.get(attribute, "0"))
            counts[outcome] += number
            bad += number
        counts["passed"] += int(suite.get("tests", "0")) - bad
    return counts


def summary(outcomes: Sequence[Outcome]) -> str:
    """A table of the gates and, as the last line, the tests of all runs together in pytest's usual form."""
    lines = ["", "=== summary ==="]
    for outcome in outcomes:
        said = "passed" if outcome.status == 0 else f"FAILED (status {outcome.status})"
        tests = ", ".join(f"{number} {name}" for name, number in outcome.tests.items() if number)
        lines.append(f"{outcome.gate.name:<9}{said:<19}{outcome.duration_s:>7.1f} s  {tests or outcome.gate.purpose}")
    totals: dict[str, int] = {}
    for outcome in outcomes:
        for name, number in outcome.tests.items():
            totals[name] = totals.get(name, 0) + number
    if totals:
        counted = ", ".join(f"{number} {name}" for name, number in totals.items() if number) or "no tests ran"
        duration_s = sum(outcome.duration_s for outcome in outcomes if outcome.gate.counts_tests)
        lines.append(f"============ {counted} in {duration_s:.2f}s ============")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the gates that were named, else all."""
    root = Path(__file__).resolve().parents[2]
    known = [gate.name for gate in gates(root, workers=1)]
    parser = argparse.ArgumentParser(prog="python -m qg_devstack.gates")
    parser.add_argument("--workers", type=int, default=4, help="test processes at once; most of them wait for servers")
    parser.add_argument("names", nargs="*", metavar="gate", help=", ".join(known))
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(known):
        parser.error(f"no such gate: {', '.join(sorted(unknown))}")
    chosen = [gate for gate in gates(root, options.workers) if not options.names or gate.name in options.names]
    outcomes = run_beside([gate for gate in chosen if not gate.alone], root)
    outcomes += [run(gate, root) for gate in chosen if gate.alone]
    if len(outcomes) > 1:
        print(summary(outcomes), flush=True)
    return 1 if any(outcome.status for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
