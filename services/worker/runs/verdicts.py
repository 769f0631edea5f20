"""What becomes of a run that met an error: tried again later, `failed` or `timeout`, and what admins are told."""

import msgspec

from qg_core.errors import DatabaseBusy, DatabaseUnreachable, GatewayError, QueryTimedOut, Unavailable
from qg_core.job_runs import ATTEMPTS_MAX, RunStatus, retry_delay_s
from qg_store.availability import is_unavailable
from qg_store.models.job_runs import ERROR_DETAIL_CHARS_MAX
from worker.runs.definitions import DefinitionUnfit
from worker.snapshots.refusals import SnapshotRefused
from worker.snapshots.storing import StoringFailed


class Verdict(msgspec.Struct, frozen=True):
    """`status` is a final one, or `queued` with the seconds until the run may be claimed again.

    `detail` is for admins: the kind of error and its code; never SQL, a host, a user or a password.
    """

    status: RunStatus
    detail: str
    retry_in_s: float = 0.0
    attempt_counts: bool = True


def verdict_of(error: Exception, attempt: int) -> Verdict:
    """What becomes of a run whose `attempt`-th attempt (from 1) met `error`.

    A busy or lost database is asked again with backoff. What would come out the same (the statement, its limits, a
    refused sign-in, which may lock the account) is not.
    """
    if isinstance(error, DefinitionUnfit | SnapshotRefused):
        return Verdict(RunStatus.FAILED, _cut(str(error)))
    if isinstance(error, StoringFailed):
        return _again(str(error), attempt)
    if isinstance(error, QueryTimedOut):
        return Verdict(RunStatus.TIMEOUT, _detail_of(error))
    if isinstance(error, Unavailable):
        if _refused_sign_in(error):
            return Verdict(RunStatus.FAILED, _with_code("The database refused the sign-in.", error))
        return _again(_detail_of(error), attempt)
    if isinstance(error, GatewayError):
        return Verdict(RunStatus.FAILED, _detail_of(error))
    if is_unavailable(error):
        return Verdict(
            RunStatus.QUEUED, "The worker could not reach Postgres.", retry_delay_s(attempt), attempt_counts=False
        )
    # Nobody foresaw it: its message may hold anything, and stays in the log.
    return Verdict(RunStatus.FAILED, f"An unforeseen error ({type(error).__name__}); the worker's log has more.")


def _again(detail: str, attempt: int) -> Verdict:
    if attempt < ATTEMPTS_MAX:
        return Verdict(RunStatus.QUEUED, detail, retry_delay_s(attempt))
    return Verdict(RunStatus.FAILED, _cut(f"{detail} Given up after {attempt} attempts."))


def is_unforeseen(error: Exception) -> bool:
    """Whether the log has to show where an error came from."""
    return not (
        isinstance(error, DefinitionUnfit | SnapshotRefused | StoringFailed | GatewayError) or is_unavailable(error)
    )


def _refused_sign_in(error: Unavailable) -> bool:
    """Of all that keeps sessions from being had, only a refused sign-in promises no better time to try."""
    return isinstance(error, DatabaseUnreachable) and "Retry-After" not in error.headers


def _detail_of(error: GatewayError) -> str:
    text = error.detail
    if isinstance(error, DatabaseBusy):
        text = "The database is busy."
    return _with_code(text, error)


def _with_code(text: str, error: GatewayError) -> str:
    if error.cause_code and error.cause_code not in text:
        text = f"{text} ({error.cause_code})"
    return _cut(text)


def _cut(text: str) -> str:
    return text.replace("\0", "")[:ERROR_DETAIL_CHARS_MAX]
