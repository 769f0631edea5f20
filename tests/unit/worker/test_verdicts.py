"""What becomes of a run that met an error."""

import pytest
from sqlalchemy.exc import OperationalError

from qg_core.errors import (
    ConnectionUnavailable,
    DatabaseBusy,
    DatabaseUnreachable,
    DeadlineExceeded,
    DuplicateColumns,
    EndpointBusy,
    GatewayError,
    QueryFailed,
    QueryRefused,
    QueryTimedOut,
)
from qg_core.job_runs import ATTEMPTS_MAX, RunStatus, retry_delay_s
from qg_store.models.job_runs import ERROR_DETAIL_CHARS_MAX
from worker.runs.definitions import DefinitionUnfit
from worker.runs.verdicts import is_unforeseen, verdict_of
from worker.snapshots.refusals import SnapshotTooLarge


def with_code(error: GatewayError, code: str) -> GatewayError:
    error.cause_code = code
    return error


@pytest.mark.parametrize(
    "error",
    [
        with_code(DatabaseBusy(retry_after_s=2), "ORA-00018"),
        with_code(DatabaseUnreachable(retry_after_s=5), "ORA-12541"),
        EndpointBusy(),
        ConnectionUnavailable(),
    ],
)
def test_a_busy_or_lost_database_is_asked_again(error: GatewayError) -> None:
    for attempt in range(1, ATTEMPTS_MAX):
        verdict = verdict_of(error, attempt)
        assert (verdict.status, verdict.retry_in_s) == (RunStatus.QUEUED, retry_delay_s(attempt))
    last = verdict_of(error, ATTEMPTS_MAX)
    assert last.status is RunStatus.FAILED
    assert f"after {ATTEMPTS_MAX} attempts" in last.detail
    if error.cause_code:
        assert error.cause_code in last.detail


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (with_code(QueryFailed(), "ORA-00942"), RunStatus.FAILED),
        (with_code(QueryRefused("The database refused the query: (ORA-00942)."), "ORA-00942"), RunStatus.FAILED),
        (DuplicateColumns(), RunStatus.FAILED),
        (with_code(DatabaseUnreachable(), "ORA-01017"), RunStatus.FAILED),
        (QueryTimedOut(), RunStatus.TIMEOUT),
        (DeadlineExceeded(), RunStatus.TIMEOUT),
        (DefinitionUnfit("It is off."), RunStatus.FAILED),
        (SnapshotTooLarge(5), RunStatus.FAILED),
    ],
)
def test_the_rest_is_final_at_once(error: Exception, status: RunStatus) -> None:
    verdict = verdict_of(error, 1)
    assert verdict.status is status
    code = getattr(error, "cause_code", None)
    assert verdict.detail.count(code or verdict.detail) == 1
    assert not is_unforeseen(error)


def test_an_unforeseen_error_tells_its_kind_and_no_more() -> None:
    error = ValueError("password=hunter2")
    verdict = verdict_of(error, 1)
    assert verdict.status is RunStatus.FAILED
    assert "ValueError" in verdict.detail
    assert "hunter2" not in verdict.detail
    assert is_unforeseen(error)


def test_our_own_database_being_away_is_no_fault_of_the_run() -> None:
    error = OperationalError("select", {}, OSError("gone"))
    verdict = verdict_of(error, ATTEMPTS_MAX)
    assert (verdict.status, verdict.attempt_counts) == (RunStatus.QUEUED, False)
    assert not is_unforeseen(error)


def test_details_fit_where_they_go() -> None:
    assert len(verdict_of(DefinitionUnfit("x\0" * 5_000), 1).detail) == ERROR_DETAIL_CHARS_MAX
