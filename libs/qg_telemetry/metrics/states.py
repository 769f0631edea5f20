"""States: what is so at the moment of a scrape (as opposed to what happened).

A service binds a reader to each state that it has; those it doesn't have are not shown.
"""

from collections.abc import Callable, Mapping

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class State(msgspec.Struct, frozen=True):
    """One gauge. `label` is the name of its one label or null; `labels_max` bounds how many values are shown."""

    name: str
    description: str
    label: str | None = None
    labels_max: int = 200


STATES: tuple[State, ...] = (
    State("qg_ready", "1 when the process is ready, else 0."),
    State("qg_revision", "Revision that this process serves (data plane) or published last (control plane)."),
    State("qg_head_revision", "Newest revision that this process has verified."),
    State("qg_beacon_age_seconds", "Seconds since the newest verified beacon was issued."),
    State("qg_catalog_endpoints", "Endpoints in the active catalog."),
    State("qg_catalog_unusable", "Subjects of the active catalog that this node can't use."),
    State("qg_requests_running", "Requests being served now."),
    State("qg_password_checks_queued", "Password checks waiting for a thread."),
    State("qg_verified_cache_entries", "Credentials remembered as verified."),
    State("qg_pool_sessions_open", "Open Oracle sessions, by connection.", "connection"),
    State("qg_pool_sessions_busy", "Oracle sessions in use, by connection.", "connection"),
    State("qg_pool_waiting", "Requests waiting for an Oracle session, by connection.", "connection"),
    State("qg_snapshots_served", "Snapshots that this node serves."),
    State("qg_snapshots_refused", "Snapshots that this node could not take; what it had before it still serves."),
    State("qg_snapshot_disk_bytes", "Bytes of snapshots in STATE_DIR."),
    State("qg_snapshot_memory_bytes", "Bytes of snapshots in memory."),
    State("qg_activation_pending", "Committed revisions that are not activated yet (control plane)."),
    State("qg_job_runs_live", "Job runs that this worker is at work on."),
    State("qg_job_slots", "Job runs that may be live at once in all workers together."),
    State("qg_heartbeat_age_seconds", "Seconds since this worker's leases were last confirmed."),
    State("qg_access_segment_bytes", "Bytes of access events in files of this node."),
    State("qg_access_events_waiting", "Access events of this node that are not known to be stored."),
    State("qg_access_events_dropped_total", "Access events that this process had to drop."),
    State("qg_access_events_gap_total", "Requests of killed processes that left no access event."),
    State("qg_access_outstanding_bytes", "Bytes of batches that were sent and are not known to be stored."),
    State("qg_access_batches_stored_total", "Batches of access events that this worker has stored."),
    State("qg_access_events_stored_total", "Access events that this worker has stored."),
    State("qg_access_events_lost_total", "Access events that nodes lost, as this worker found out."),
    State("qg_access_dead_letters_total", "Access events and batches that this worker could not store."),
    State("qg_access_stream_entries", "Batches of access events that wait in Redis."),
    State("qg_access_stream_age_seconds", "Age of the oldest batch of access events that waits in Redis."),
    State("qg_log_lines_dropped_total", "Log lines dropped because nobody read standard output."),
)
"""All states there are; append, and describe it in docs/metrics.md (a test compares the two)."""

Reader = Callable[[], float | Mapping[str, float]]
"""A value, or values by the text of the state's label. Must not block."""


class StateMetrics(Collector):
    """Shows the values that were read last; prometheus-client calls `collect` while rendering."""

    def __init__(self, states: tuple[State, ...]) -> None:
        self._states = {state.name: state for state in states}
        self._readers: dict[str, Reader] = {}
        self._values: dict[str, float | Mapping[str, float]] = {}

    def bind(self, name: str, read: Reader) -> None:
        """Raises `KeyError` when there is no such state."""
        if name not in self._states:
            raise KeyError(name)
        self._readers[name] = read

    def read(self) -> None:
        """Ask every reader; in the event loop, so that readers need no locks."""
        self._values = {name: _copied(read()) for name, read in self._readers.items()}

    def describe(self) -> list[Metric]:
        return [_family_of(state) for state in self._states.values()]

    def collect(self) -> list[Metric]:
        return [_with_samples(self._states[name], value) for name, value in self._values.items()]


def _copied(value: float | Mapping[str, float]) -> float | Mapping[str, float]:
    return dict(value) if isinstance(value, Mapping) else value


def _family_of(state: State) -> GaugeMetricFamily | CounterMetricFamily:
    family = CounterMetricFamily if state.name.endswith("_total") else GaugeMetricFamily
    return family(state.name, state.description, labels=[state.label] if state.label else [])


def _with_samples(state: State, value: float | Mapping[str, float]) -> Metric:
    family = _family_of(state)
    if isinstance(value, Mapping):
        for label, number in sorted(value.items())[: state.labels_max]:
            family.add_metric([label], number)
    else:
        family.add_metric([], value)
    return family
