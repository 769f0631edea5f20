"""What happens to the processes themselves."""

import traceback as tracebacks
from typing import ClassVar, Self

from qg_telemetry.events.base import Event, Level

TRACEBACK_CHARS_MAX = 16_000


class ServiceStarted(Event, frozen=True, kw_only=True):
    """Listens now; `version` is the distribution's."""

    version: str
    host: str
    port: int
    ops_port: int
    pid: int


class StartFailed(Event, frozen=True, kw_only=True):
    """The service could not begin (its database is away, not migrated or another gateway's) and ends."""

    level: ClassVar[Level] = Level.CRITICAL
    counted_by: ClassVar[str | None] = "error"

    error: str
    detail: str


class ServiceDraining(Event, frozen=True, kw_only=True):
    """Was asked to drain (SIGUSR1) or to stop: not ready any more; after SIGUSR1 everything is served on."""

    signal: str


class ServiceStopped(Event, frozen=True, kw_only=True):
    """Stopped; `requests_dropped` were still running when the grace period ended."""

    requests_dropped: int
    duration_ms: float


class UnforeseenError(Event, frozen=True, kw_only=True):
    """A failure nobody foresaw: the caller got a bare 500; the traceback is here, redacted, and nowhere else."""

    level: ClassVar[Level] = Level.ERROR
    counted_by: ClassVar[str | None] = "error"

    where: str
    error: str
    traceback: str
    request_id: str | None = None

    @classmethod
    def of(cls, where: str, error: BaseException, *, request_id: str | None = None) -> Self:
        """With the last `TRACEBACK_CHARS_MAX` characters of the error's traceback."""
        trace = "".join(tracebacks.format_exception(error))[-TRACEBACK_CHARS_MAX:]
        return cls(where=where, error=type(error).__name__, traceback=trace, request_id=request_id)


class LibraryLogged(Event, frozen=True, kw_only=True):
    """A library wrote to the standard library's logging; the line has the record's level."""

    logger: str
    message: str
    traceback: str | None = None


class LogLinesDropped(Event, frozen=True, kw_only=True):
    """Nobody read standard output for a while: this many lines were dropped since the last one that got through."""

    level: ClassVar[Level] = Level.WARNING

    lines: int
