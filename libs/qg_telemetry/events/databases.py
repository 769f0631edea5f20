"""What happens between the gateway and the Oracle databases; `pool` is a fingerprint that differs per process."""

from typing import ClassVar

from qg_telemetry.events.base import Event, Level


class PoolOpened(Event, frozen=True, kw_only=True):
    """A pool was made on first use of a connection."""

    connection_id: str
    pool: str
    pool_max: int


class PoolRetired(Event, frozen=True, kw_only=True):
    """No catalog needs the pool any more: it closes its sessions as they come back; `busy` are still out."""

    connection_id: str
    pool: str
    busy: int


class PoolClosed(Event, frozen=True, kw_only=True):
    """The last session of a retired pool is gone."""

    connection_id: str
    pool: str


class SessionOpened(Event, frozen=True, kw_only=True):
    """A session was signed in."""

    connection_id: str
    pool: str
    duration_ms: float


class LogonFailed(Event, frozen=True, kw_only=True):
    """No session could be had: `kind` says what sort of failure, `code` which (ORA-, DPY-)."""

    level: ClassVar[Level] = Level.ERROR
    counted_by: ClassVar[str | None] = "kind"

    connection_id: str
    pool: str
    kind: str
    code: str
    retry_in_s: float


class SessionLost(Event, frozen=True, kw_only=True):
    """An open session was found dead or died under a call."""

    level: ClassVar[Level] = Level.WARNING

    connection_id: str
    pool: str
    code: str


class CallRetried(Event, frozen=True, kw_only=True):
    """A reused session was lost at once and nothing was sent yet: the statement was asked once more."""

    level: ClassVar[Level] = Level.WARNING

    connection_id: str
    pool: str
    code: str


class CallAbandoned(Event, frozen=True, kw_only=True):
    """Nobody waits for a call any more (`reason`): it is being cancelled in the database."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    connection_id: str
    pool: str
    reason: str


class AbandonedCallEnded(Event, frozen=True, kw_only=True):
    """The database gave up an abandoned call after `after_ms`, or it didn't and the call was `dropped` by force."""

    connection_id: str
    pool: str
    after_ms: float
    dropped: bool
