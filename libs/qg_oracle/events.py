"""What can happen between the gateway and a database, as values; the service maps them to its log and metrics."""

from collections.abc import Callable

import msgspec


class OracleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Base; `connection_id` names the connection, `pool` the fingerprint of the pool."""

    connection_id: str
    pool: str


class PoolOpened(OracleEvent, frozen=True, kw_only=True):
    """A pool was made on first use of a target."""

    pool_max: int


class PoolRetired(OracleEvent, frozen=True, kw_only=True):
    """No catalog needs the pool any more: it closes its sessions as they come back."""

    busy: int


class PoolClosed(OracleEvent, frozen=True, kw_only=True):
    """The last session of a retired pool is gone."""


class SessionOpened(OracleEvent, frozen=True, kw_only=True):
    duration_ms: float


class LogonFailed(OracleEvent, frozen=True, kw_only=True):
    """No session could be had: `kind` as in FailureKind; the pool tries again no sooner than `retry_in_s`."""

    kind: str
    code: str
    retry_in_s: float


class SessionLost(OracleEvent, frozen=True, kw_only=True):
    """An open session was found dead or died under a call."""

    code: str


class CallRetried(OracleEvent, frozen=True, kw_only=True):
    """A reused session was lost within the first second and nothing was sent yet: asked once more."""

    code: str


class CallAbandoned(OracleEvent, frozen=True, kw_only=True):
    """The caller went on without the answer (`reason`); the call is being cancelled in the database."""

    reason: str


class AbandonedCallEnded(OracleEvent, frozen=True, kw_only=True):
    """The database gave up an abandoned call after `after_ms`, or it didn't and the call was `dropped` by force."""

    after_ms: float
    dropped: bool


Observe = Callable[[OracleEvent], None]


def unobserved(event: OracleEvent) -> None:
    """For callers that don't care."""
