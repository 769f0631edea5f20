"""What happens to the snapshots of a node."""

from typing import ClassVar

from qg_telemetry.events.base import Event, Level


class SnapshotTaken(Event, frozen=True, kw_only=True):
    """A verified snapshot is served now. `source` is redis or disk; `stored_bytes` counts all its encodings."""

    endpoint_id: str
    snapshot_id: str
    number: int
    row_count: int
    stored_bytes: int
    source: str
    took_ms: float


class SnapshotRejected(Event, frozen=True, kw_only=True):
    """A snapshot that was read did not verify or is missing; the one before, if any, is still served."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    detail: str
    endpoint_id: str


class SnapshotFilesFailed(Event, frozen=True, kw_only=True):
    """A snapshot could not be kept on or read from this node's disk; what is served stays. `reason` is a slug."""

    level: ClassVar[Level] = Level.ERROR
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    detail: str
    endpoint_id: str | None
