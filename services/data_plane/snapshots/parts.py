"""The wiring of a node's snapshots."""

from pathlib import Path

from redis.asyncio import Redis

from data_plane.refreshing.refresh import Refresher
from data_plane.requests.disconnects import Disconnects
from data_plane.snapshots.answer import StoredAnswers
from data_plane.snapshots.files import SnapshotFiles
from data_plane.snapshots.follower import Follower
from data_plane.snapshots.large_answers import LargeAnswers
from data_plane.snapshots.memory import SnapshotMemory
from data_plane.snapshots.shelf import Shelf
from qg_bundle.snapshots.reader import SnapshotReader
from qg_security.tags import SNAPSHOT_CONTEXT, TagKeys
from qg_telemetry.events import Observe
from qg_telemetry.metrics import Metrics


class Snapshots:
    """Everything of a node that has to do with snapshots: `answers` for the pipeline, `follower` to be run."""

    def __init__(
        self,
        redis: Redis,
        refresher: Refresher,
        disconnects: Disconnects,
        observe: Observe,
        *,
        gateway_id: str,
        seal_keys: tuple[str, ...],
        state_dir: Path,
        disk_bytes_max: int,
        cache_bytes: int,
        in_flight_max: int,
    ) -> None:
        self._files = SnapshotFiles(state_dir, disk_bytes_max)
        self._memory = SnapshotMemory(cache_bytes)
        self._shelf = Shelf(self._files, self._memory, observe)
        self.answers = StoredAnswers(self._shelf, disconnects, LargeAnswers(in_flight_max))
        self.follower = Follower(
            SnapshotReader(redis, TagKeys(seal_keys, SNAPSHOT_CONTEXT), gateway_id),
            self._files,
            self._shelf,
            observe,
            catalog=lambda: refresher.current,
            on_change=lambda: refresher.on_change(),
        )

    def bind_states(self, metrics: Metrics) -> None:
        """What a scrape shows."""
        metrics.bind("qg_snapshots_served", lambda: len(self._shelf.entries))
        metrics.bind("qg_snapshots_refused", lambda: self.follower.refused)
        metrics.bind("qg_snapshot_disk_bytes", lambda: self._files.used_bytes)
        metrics.bind("qg_snapshot_memory_bytes", lambda: self._memory.used_bytes)
