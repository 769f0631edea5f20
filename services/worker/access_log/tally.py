"""What this worker's sink has done so far, for metrics."""

from collections.abc import Mapping

from qg_bundle.access.reader import Backlog
from qg_telemetry.metrics.states import Reader


class Tally:
    """Counts that only rise, and the newest view of the stream. Used from the event loop only."""

    def __init__(self) -> None:
        self.batches = 0
        self.events = 0
        self.lost = 0
        self.dead_letters = 0
        self.backlog = Backlog()

    def states(self) -> Mapping[str, Reader]:
        """By the names of `qg_telemetry.metrics.STATES`."""
        return {
            "qg_access_batches_stored_total": lambda: self.batches,
            "qg_access_events_stored_total": lambda: self.events,
            "qg_access_events_lost_total": lambda: self.lost,
            "qg_access_dead_letters_total": lambda: self.dead_letters,
            "qg_access_stream_entries": lambda: self.backlog.entries,
            "qg_access_stream_age_seconds": lambda: self.backlog.oldest_age_s,
        }
