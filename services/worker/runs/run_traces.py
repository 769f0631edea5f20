"""Job runs as traces: one piece of work for every attempt that came to an end here."""

import time
from collections.abc import Callable

from qg_telemetry.events import Event, JobRunFailed, JobRunFinished, JobRunRetried, Observe
from qg_telemetry.traces import Attribute, Kind, Traces, Work


def traced(observe: Observe, traces: Traces) -> Callable[[Event], None]:
    """An `Observe` that passes every event on, and tells the traces of those that end an attempt."""

    def observe_and_trace(event: Event) -> None:
        observe(event)
        if isinstance(event, JobRunFinished | JobRunFailed | JobRunRetried):
            traces.record(_attempt(event))

    return observe_and_trace


def _attempt(event: JobRunFinished | JobRunFailed | JobRunRetried) -> Work:
    ended = time.time()
    attributes: dict[str, Attribute] = {
        "qg.run_id": event.run_id,
        "qg.endpoint_id": event.endpoint_id,
        "qg.attempt": event.attempt,
    }
    if event.job_id is not None:
        attributes["qg.job_id"] = event.job_id
    if isinstance(event, JobRunFinished):
        attributes |= {"qg.snapshot_id": event.snapshot_id, "db.response.returned_rows": event.row_count}
    elif isinstance(event, JobRunFailed):
        attributes["error.type"] = event.status
    return Work(
        name="job run",
        kind=Kind.INTERNAL,
        began=ended - event.duration_ms / 1_000,
        ended=ended,
        attributes=attributes,
        failed=not event.success,
    )
