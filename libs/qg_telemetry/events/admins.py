"""What happens on the control plane's HTTP side."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from qg_telemetry.events.base import Event, Level


class AdminRequestServed(Event, frozen=True, kw_only=True):
    """The one line of every request to the control plane; `user` is the admin's name, null when not signed in.

    `trace_id` is there when the request was traced.
    """

    texts: ClassVar[tuple[str, ...] | None] = ("path",)

    request_id: str
    user: str | None
    method: str
    path: str
    client_ip: str
    status: int
    duration_ms: float
    bytes: int
    error_code: str | None = None
    trace_id: str | UnsetType = UNSET


class AdminSignedIn(Event, frozen=True, kw_only=True):
    """An admin signed in with the password."""

    request_id: str
    user: str
    client_ip: str


class AdminSignInRefused(Event, frozen=True, kw_only=True):
    """A sign-in or a token did not pass; `reason` is a slug. The name that was tried is not kept."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"

    request_id: str
    client_ip: str
    reason: str
