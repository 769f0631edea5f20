"""The parser stays out of processes that don't check statements."""

from __future__ import annotations

import re
from pathlib import Path

_QG_CORE = Path(__file__).parents[3] / "libs" / "qg_core"


def test_no_other_module_of_qg_core_imports_the_policy_or_the_parser() -> None:
    others = [path for path in _QG_CORE.rglob("*.py") if "sql_policy" not in path.parts]
    assert len(others) > 5
    for path in others:
        assert not re.search(r"^\s*(from|import) .*(sql_policy|sqlglot)", path.read_text(), re.MULTILINE), path
