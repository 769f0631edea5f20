"""Job runs: their states, which state may follow which, and the numbers that claims and retries live by."""

import enum
from types import MappingProxyType
from typing import Final

ATTEMPTS_MAX: Final = 3
"""How often one run is begun; after that it is `failed`, or `lost` when its worker never said."""

LEASE_S: Final = 8
"""How long a claim lasts without a heartbeat, by Postgres' clock."""

HEARTBEAT_S: Final = 2
"""How often a worker extends its claims: three in a row may be lost."""

REAP_EVERY_S: Final = 2
"""How often leases that ran out are looked for. With the lease: taken over within some 10 s, 15 s are promised."""

RETRY_FIRST_S: Final = 5.0
RETRY_FACTOR: Final = 3.0
RETRY_MAX_S: Final = 60.0


class RunStatus(enum.StrEnum):
    """Where a run is on its way."""

    QUEUED = "queued"
    """Waits to be claimed, for the first time or again."""
    RUNNING = "running"
    """A worker holds the claim."""
    SUCCESS = "success"
    """Its snapshot is stored."""
    FAILED = "failed"
    """It ended with an error that a retry does not mend, or after the last attempt."""
    TIMEOUT = "timeout"
    """The query ran into its time limit."""
    LOST = "lost"
    """Its worker fell silent, `ATTEMPTS_MAX` times."""
    SKIPPED = "skipped"
    """Never begun: a later one stood for it, or its schedule was paused or deleted."""


class RunReason(enum.StrEnum):
    """Why there is a run."""

    SCHEDULE = "schedule"
    """Its time had come."""
    MANUAL = "manual"
    """An admin asked for it."""
    SPEC_CHANGED = "spec_changed"
    """What produces the snapshot changed, so the stored one is served no more."""


TRANSITIONS: Final = MappingProxyType(
    {
        RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.SKIPPED}),
        # Back to queued: handed back at a stop, retried later, or taken from a silent worker.
        RunStatus.RUNNING: frozenset(
            {RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.TIMEOUT, RunStatus.LOST, RunStatus.QUEUED}
        ),
        RunStatus.SUCCESS: frozenset[RunStatus](),
        RunStatus.FAILED: frozenset[RunStatus](),
        RunStatus.TIMEOUT: frozenset[RunStatus](),
        RunStatus.LOST: frozenset[RunStatus](),
        RunStatus.SKIPPED: frozenset[RunStatus](),
    }
)
"""Which state may follow which; the last five are final."""

FINAL: Final = frozenset(status for status, following in TRANSITIONS.items() if not following)


class IllegalTransition(ValueError):
    """A run can't go from the one state to the other."""

    def __init__(self, before: RunStatus, after: RunStatus) -> None:
        super().__init__(f"a run that is {before.value} can't become {after.value}")
        self.before = before
        self.after = after


def check_transition(before: RunStatus, after: RunStatus) -> None:
    """Raise `IllegalTransition` unless `after` may follow `before`."""
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(before, after)


def retry_delay_s(attempt: int) -> float:
    """How long to wait after the `attempt`-th one (from 1) failed on a busy or lost database: 5, 15, 45, 60, 60 s."""
    return min(RETRY_FIRST_S * RETRY_FACTOR ** min(max(attempt - 1, 0), 16), RETRY_MAX_S)
