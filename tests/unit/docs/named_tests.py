"""Which tests there are, read from the test files without running them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

LEFT_OUT_OF_MAKE_TEST = frozenset({"long", "skip"})
"""Marks of tests that `make test` does not run (pyproject.toml, libs/qg_devstack/gates.py)."""


@cache
def named_in(file: Path) -> dict[str, frozenset[str]]:
    """Every test of the file with its marks: functions, methods as `Class::test`, and state machines.

    Raises `FileNotFoundError`, `SyntaxError`.
    """
    body = ast.parse(file.read_text(encoding="utf-8")).body
    of_the_file = _marks_of_the_file(body)
    found = _functions(body)
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= {f"{node.name}::{test}": marks for test, marks in _functions(node.body).items()}
        elif isinstance(node, ast.Assign):
            # A stateful test of hypothesis: TestSomething = Machine.TestCase
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            found |= {name: frozenset[str]() for name in names if name.startswith("Test")}
    return {name: marks | of_the_file for name, marks in found.items()}


def _marks_of_the_file(body: list[ast.stmt]) -> frozenset[str]:
    """The names in `pytestmark = pytest.mark.<name>`, or in a list of these."""
    values = [
        node.value
        for node in body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["pytestmark"]
    ]
    marks = [one for value in values for one in (value.elts if isinstance(value, ast.List) else [value])]
    return frozenset(name for mark in marks if (name := _mark(mark)) is not None)


def _functions(body: list[ast.stmt]) -> dict[str, frozenset[str]]:
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name: _marks(node) for node in functions if node.name.startswith("test_")}


def _marks(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """The names of its `pytest.mark.<name>`."""
    return frozenset(name for node in function.decorator_list if (name := _mark(node)) is not None)


def _mark(node: ast.expr) -> str | None:
    """`long` of `pytest.mark.long` and of `pytest.mark.long(...)`; null for anything else."""
    named = node.func if isinstance(node, ast.Call) else node
    is_mark = isinstance(named, ast.Attribute) and ast.unparse(named.value) == "pytest.mark"
    return named.attr if is_mark and isinstance(named, ast.Attribute) else None


def marks_of(reference: str, root: Path = ROOT) -> frozenset[str] | None:
    """The marks of `tests/file.py::test_name`; null where there is no such test."""
    file, _, name = reference.partition("::")
    path = root / file
    return named_in(path).get(name) if path.is_file() else None
