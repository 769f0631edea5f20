"""Job runs: planned once per time, claimed as a lease by one worker, fenced by a token.

Statements only; the caller commits. Every time that decides something is Postgres' own.
"""

from qg_store.repositories.job_runs.claims import (
    ClaimedRun,
    Held,
    Reaped,
    claim,
    extend,
    finish,
    hand_back,
    reap,
)
from qg_store.repositories.job_runs.planning import Planned, cancel_queued, enqueue, plan
from qg_store.repositories.job_runs.records import RunFilter, one, page, prune

__all__ = [
    "ClaimedRun",
    "Held",
    "Planned",
    "Reaped",
    "RunFilter",
    "cancel_queued",
    "claim",
    "enqueue",
    "extend",
    "finish",
    "hand_back",
    "one",
    "page",
    "plan",
    "prune",
    "reap",
]
