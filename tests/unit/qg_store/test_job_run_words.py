"""The states and reasons of job runs are the same in the tables and in the code."""

import re

from sqlalchemy import CheckConstraint, Table

from qg_core.job_runs import FINAL, RunReason, RunStatus
from qg_store.models import JobRun


def _words(constraint_name: str) -> list[set[str]]:
    """The lists of quoted words in a check of `job_runs`."""
    table = JobRun.__table__
    assert isinstance(table, Table)
    (check,) = [
        one
        for one in table.constraints
        if isinstance(one, CheckConstraint) and str(one.name) == f"ck_job_runs_{constraint_name}"
    ]
    return [set(re.findall(r"'(\w+)'", part)) for part in re.findall(r"IN \(([^)]*)\)", str(check.sqltext))]


def test_states() -> None:
    assert _words("status") == [set(RunStatus)]


def test_reasons() -> None:
    assert _words("reason") == [set(RunReason)]


def test_what_is_not_final_has_not_finished() -> None:
    assert _words("finished") == [set(RunStatus) - FINAL]
