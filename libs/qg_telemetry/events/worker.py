"""What happens in a worker. Lines about one run all carry `job_id` (the schedule), `run_id`, `row_count`, `success`.

`job_id` is null for a run without schedule (deleted, or never one); `row_count` and `success` until they are known.
"""

from typing import ClassVar

from qg_telemetry.events.base import Event, Level


class WorkerStarted(Event, frozen=True, kw_only=True):
    """A worker process has begun; `worker` is how its job runs name it."""

    version: str
    worker: str
    ops_port: int
    pid: int


class JobRunsPlanned(Event, frozen=True, kw_only=True):
    """A pass of the scheduler made rows for planned times: `queued` to be run, `skipped` not (`reason`: the last)."""

    level: ClassVar[Level] = Level.DEBUG

    queued: int
    skipped: int


class JobRunsSkipped(Event, frozen=True, kw_only=True):
    """Planned times of one schedule got rows that will not run: nobody was there in time, or the endpoint is off."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    job_id: str
    endpoint_id: str
    skipped: int
    reason: str


class JobRunClaimed(Event, frozen=True, kw_only=True):
    """This worker took a run; `attempt` counts from 1."""

    job_id: str | None
    run_id: str
    endpoint_id: str
    attempt: int
    row_count: int | None = None
    success: bool | None = None


class JobRunFinished(Event, frozen=True, kw_only=True):
    """A run succeeded and its snapshot is in Postgres. `bytes` are uncompressed, `stored_bytes` of all encodings."""

    job_id: str | None
    run_id: str
    endpoint_id: str
    attempt: int
    snapshot_id: str
    row_count: int
    bytes: int
    stored_bytes: int
    truncated: bool
    duration_ms: float
    success: bool = True


class JobRunFailed(Event, frozen=True, kw_only=True):
    """A run came to its end without a snapshot: `status` is `failed`, `timeout` or `skipped`."""

    level: ClassVar[Level] = Level.ERROR
    counted_by: ClassVar[str | None] = "status"

    job_id: str | None
    run_id: str
    endpoint_id: str
    attempt: int
    status: str
    error_detail: str
    duration_ms: float
    row_count: int | None = None
    success: bool = False


class JobRunRetried(Event, frozen=True, kw_only=True):
    """A run failed in a way that may pass: it is queued again and can be claimed in `retry_s`."""

    level: ClassVar[Level] = Level.WARNING

    job_id: str | None
    run_id: str
    endpoint_id: str
    attempt: int
    error_detail: str
    retry_s: float
    duration_ms: float
    row_count: int | None = None
    success: bool = False


class JobRunTakenOver(Event, frozen=True, kw_only=True):
    """The lease of a run ran out (its `worker` is gone or hangs): it is `queued` again, or `lost` after too many."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "status"

    job_id: str | None
    run_id: str
    endpoint_id: str
    attempt: int
    worker: str
    status: str
    row_count: int | None = None
    success: bool = False


class JobRunHandedBack(Event, frozen=True, kw_only=True):
    """This worker is being stopped and could not finish the run: it is queued again, the attempt does not count."""

    level: ClassVar[Level] = Level.WARNING

    job_id: str | None
    run_id: str
    endpoint_id: str
    row_count: int | None = None
    success: bool | None = None


class LeaseLost(Event, frozen=True, kw_only=True):
    """This worker no longer holds a run that it was at work on: it stopped, and wrote nothing."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    job_id: str | None
    run_id: str
    endpoint_id: str
    reason: str
    row_count: int | None = None
    success: bool = False


class HeartbeatLate(Event, frozen=True, kw_only=True):
    """Leases were not extended for `late_s` seconds, twice as long as they should have been or longer."""

    level: ClassVar[Level] = Level.WARNING

    late_s: float
    error: str
    detail: str


class QueuedJobRefused(Event, frozen=True, kw_only=True):
    """Something in the queue of wake-ups is none (a pickle, an unknown function, broken keys): it was removed."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    detail: str


class SnapshotCopyFailed(Event, frozen=True, kw_only=True):
    """A snapshot is in Postgres, but its copy did not reach Redis; reconciliation puts it there."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "error"

    endpoint_id: str
    snapshot_id: str
    error: str
    detail: str


class LoopFailed(Event, frozen=True, kw_only=True):
    """A step of one of the worker's loops failed, most likely because Postgres or Redis is away; it is tried again."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "loop"

    loop: str
    error: str
    detail: str
    retry_s: float


class LoopRecovered(Event, frozen=True, kw_only=True):
    """The loop works again, after so many failures in a row."""

    counted_by: ClassVar[str | None] = "loop"

    loop: str
    failures: int
