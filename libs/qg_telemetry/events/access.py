"""What happens to access events on their way from a data plane to where they are stored."""

from typing import ClassVar

from qg_telemetry.events.base import Event, Level


class AccessLogFailed(Event, frozen=True, kw_only=True):
    """The files of the access log can't be written or read. The node serves on; events wait in memory, bounded."""

    level: ClassVar[Level] = Level.ERROR

    detail: str


class AccessLogRecovered(Event, frozen=True, kw_only=True):
    """The files of the access log can be written again."""

    away_s: float


class AccessLogLeftAlone(Event, frozen=True, kw_only=True):
    """An older log in STATE_DIR can't be opened or read: its events are not sent. The next start tries again."""

    level: ClassVar[Level] = Level.ERROR

    log_id: str
    detail: str


class AccessEventsDropped(Event, frozen=True, kw_only=True):
    """Access events that will never be stored.

    `reason`: bytes_max (the files are full and no worker stored them), memory (the disk does not take them), unreadable
    (a damaged file), logs_max (too many logs of former boots).
    """

    level: ClassVar[Level] = Level.ERROR
    counted_by: ClassVar[str | None] = "reason"

    events: int
    reason: str


class AccessGapFound(Event, frozen=True, kw_only=True):
    """A process that was killed left requests without an access event; each of them had a number."""

    level: ClassVar[Level] = Level.WARNING

    log_id: str
    events: int


class AccessSendingFailed(Event, frozen=True, kw_only=True):
    """Batches of access events can't be sent; they wait in files. Told once until sending works again."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "error"

    error: str
    detail: str


class AccessSendingResumed(Event, frozen=True, kw_only=True):
    """Batches of access events are being sent again."""

    away_s: float


class AccessBatchesLost(Event, frozen=True, kw_only=True):
    """Batches that were sent are not stored; everything after number `after` is sent again.

    `reason`: gone (no longer in the stream), overdue (there, and nobody stores it).
    """

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    log_id: str
    after: int
    reason: str


class AccessWatermarkRefused(Event, frozen=True, kw_only=True):
    """What Redis says about how far the access log is stored was not written by a worker; it is ignored."""

    level: ClassVar[Level] = Level.ERROR

    log_id: str
    detail: str
