"""States of job runs: which may follow which, and how long a retry waits."""

from itertools import pairwise, product

import pytest

from qg_core.job_runs import (
    ATTEMPTS_MAX,
    FINAL,
    HEARTBEAT_S,
    LEASE_S,
    REAP_EVERY_S,
    RETRY_MAX_S,
    TRANSITIONS,
    IllegalTransition,
    RunStatus,
    check_transition,
    retry_delay_s,
)

LEGAL = {
    ("queued", "running"),
    ("queued", "skipped"),
    ("running", "success"),
    ("running", "failed"),
    ("running", "timeout"),
    ("running", "lost"),
    ("running", "queued"),
}


@pytest.mark.parametrize(("before", "after"), list(product(RunStatus, RunStatus)))
def test_only_the_legal_transitions_pass(before: RunStatus, after: RunStatus) -> None:
    if (before, after) in LEGAL:
        check_transition(before, after)
        return
    with pytest.raises(IllegalTransition) as caught:
        check_transition(before, after)
    assert (caught.value.before, caught.value.after) == (before, after)


def test_every_state_is_in_the_table_and_what_ends_stays_ended() -> None:
    assert set(TRANSITIONS) == set(RunStatus)
    assert set(RunStatus) - {"queued", "running"} == FINAL


def test_retries_wait_longer_each_time_up_to_a_limit() -> None:
    delays = [retry_delay_s(attempt) for attempt in range(1, 200)]
    assert delays[0] > 0
    assert all(earlier <= later for earlier, later in pairwise(delays))
    assert delays[ATTEMPTS_MAX - 1] > delays[0]
    assert delays[-1] == RETRY_MAX_S


def test_a_silent_worker_is_noticed_within_what_is_promised() -> None:
    assert 3 * HEARTBEAT_S <= LEASE_S
    assert LEASE_S + REAP_EVERY_S + 1 <= 15
