"""What happens to access events on their way from the stream into Postgres."""

from typing import ClassVar

from qg_telemetry.events.base import Event, Level


class AccessBatchesStored(Event, frozen=True, kw_only=True):
    """One transaction: `batches` stream entries, `events` rows that were new, `known` ones that were there already."""

    level: ClassVar[Level] = Level.DEBUG

    batches: int
    events: int
    known: int
    dead_letters: int
    duration_ms: float


class AccessEventsLost(Event, frozen=True, kw_only=True):
    """A node can't send `lost` of its events any more and nobody stored them: they are missing for good.

    After a kill -9 of a node, or a full disk there. `log_id` names the log, `node` who wrote it.
    """

    level: ClassVar[Level] = Level.WARNING

    log_id: str
    node: str
    lost: int


class AccessBatchRefused(Event, frozen=True, kw_only=True):
    """Entries of the stream did not verify, or can't be read; they lie in the dead letters. `reason` is a slug."""

    level: ClassVar[Level] = Level.ERROR
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    entries: int
    detail: str


class AccessEventsRefused(Event, frozen=True, kw_only=True):
    """Events could not be stored; they lie in the dead letters. `reason` is a slug, `detail` the first one's."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    events: int
    detail: str


class AccessPartitionsDropped(Event, frozen=True, kw_only=True):
    """What is older than the retention was removed: daily partitions, and old rows outside of them."""

    retention_days: int
    days: tuple[str, ...]
    rows_removed: int
    dead_letters_removed: int
    logs_forgotten: int


class AccessPartitionFailed(Event, frozen=True, kw_only=True):
    """One partition could not be made or dropped; its rows go into the default partition, or stay for an hour more."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "action"

    action: str
    day: str
    error: str
    detail: str


class AccessWatermarksRestored(Event, frozen=True, kw_only=True):
    """Redis had lost how far nodes' events are stored, or somebody altered it; it was put again."""

    level: ClassVar[Level] = Level.WARNING

    missing: int
    altered: int
