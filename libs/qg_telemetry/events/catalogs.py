"""What happens to the catalog of a node."""

from typing import ClassVar

from qg_telemetry.events.base import Event, Level


class CatalogSwapped(Event, frozen=True, kw_only=True):
    """A verified revision is served now. `source` is redis or disk; `unusable` counts subjects this node can't use."""

    revision: int
    previous: int
    endpoints: int
    unusable: int
    source: str
    build_ms: float


class CatalogRejected(Event, frozen=True, kw_only=True):
    """Something that was read did not verify or is missing; what was served before is still served."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    detail: str
    revision: int


class SpecsUnusable(Event, frozen=True, kw_only=True):
    """Verified specs that this node can't use (a secret that won't open, an unknown format): they answer 503."""

    level: ClassVar[Level] = Level.ERROR

    revision: int
    total: int
    subjects: tuple[str, ...]
    detail: str


class RedisLost(Event, frozen=True, kw_only=True):
    """Redis can't be reached, or hangs; the node serves what it has."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "error"

    error: str
    detail: str


class RedisFound(Event, frozen=True, kw_only=True):
    """Redis answers again."""

    away_s: float


class NodeStateChanged(Event, frozen=True, kw_only=True):
    """The node's own view of itself, as its report says it; `last_error` why."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "state"

    state: str
    previous: str
    revision: int
    last_error: str | None


class StateFileFailed(Event, frozen=True, kw_only=True):
    """What this node remembers on disk could not be written or read; it serves on without. `reason` is a slug."""

    level: ClassVar[Level] = Level.ERROR
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    detail: str
