"""What a worker puts right or clears away between job runs."""

from typing import ClassVar

from qg_telemetry.events.base import Event, Level


class SnapshotsRepaired(Event, frozen=True, kw_only=True):
    """Copies in Redis were lost, incomplete, altered or unwanted and are right again; `endpoint_ids` shows some.

    `reason`: `lost` (an older one or none was there), `altered` (or incomplete), `forged` (newer than any in Postgres),
    `wanted_by_node`, `endpoint_gone` (removed).
    """

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    endpoint_ids: tuple[str, ...]
    total: int


class SnapshotsHeldBack(Event, frozen=True, kw_only=True):
    """Snapshots stay out of Redis: their copies together would be larger than SNAPSHOTS_REDIS_BYTES_MAX."""

    level: ClassVar[Level] = Level.ERROR

    endpoint_ids: tuple[str, ...]
    total: int
    bytes_max: int


class SnapshotsUnusable(Event, frozen=True, kw_only=True):
    """Snapshots in Postgres whose header verifies with none of the keys: they are of use again after their next run."""

    level: ClassVar[Level] = Level.WARNING

    endpoint_ids: tuple[str, ...]
    total: int


class OldRowsPruned(Event, frozen=True, kw_only=True):
    """Postgres lost job runs past their time and snapshots of endpoints that are gone."""

    job_runs: int
    snapshots: int
