"""What happens to revisions on the control plane's side."""

from typing import ClassVar

from qg_telemetry.events.base import Event, Level


class RevisionPublished(Event, frozen=True, kw_only=True):
    """A change was committed as a revision; nodes do not have it yet. `checkpoint` says whether one was signed."""

    revision: int
    previous: int
    actor: str
    changes: int
    checkpoint: bool
    duration_ms: float


class RevisionActivated(Event, frozen=True, kw_only=True):
    """Redis has everything up to `revision`, and the head says so. `from_revision` is where Redis stood before."""

    revision: int
    from_revision: int
    specs: int
    deltas: int
    duration_ms: float


class ActivationFailed(Event, frozen=True, kw_only=True):
    """Redis or Postgres could not be reached or refused; it is tried again in `retry_s`."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "error"

    error: str
    detail: str
    retry_s: float


class HintFailed(Event, frozen=True, kw_only=True):
    """Nodes could not be told of `revision`; they find it by looking, a second later at most."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "error"

    revision: int
    error: str
    detail: str


class BundleRepaired(Event, frozen=True, kw_only=True):
    """Something in Redis was lost or altered and was put again; `reason` says what was noticed."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    reason: str
    parts: tuple[str, ...]
    parts_total: int


class HeadForged(Event, frozen=True, kw_only=True):
    """Redis named a head that nobody signed, or one implausibly far ahead; it was set back to `revision`."""

    level: ClassVar[Level] = Level.ERROR

    found: str
    revision: int


class RevisionGap(Event, frozen=True, kw_only=True):
    """Postgres is behind what nodes have already verified (it was restored): the sequence moved past it."""

    level: ClassVar[Level] = Level.ERROR

    postgres_head: int
    verified_head: int
    revision: int


class GarbageRemoved(Event, frozen=True, kw_only=True):
    """A pass over Redis removed what no kept revision names."""

    specs: int
    deltas: int
    checkpoints: int


class RedisEvicts(Event, frozen=True, kw_only=True):
    """Redis may throw the bundle away when memory is short: its policy is not `noeviction`."""

    level: ClassVar[Level] = Level.ERROR

    policy: str
