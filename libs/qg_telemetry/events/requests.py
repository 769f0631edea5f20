"""What happens to data requests."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from qg_telemetry.events.base import Event, Level


class RequestServed(Event, frozen=True, gc=False):
    """The one line of every data request that reached the application, refused ones included.

    `user` is `Principal.tag` or null; `endpoint` the endpoint's name or null when none matched; `path` as received, but
    cleaned; `outcome` one of ok, refused, failed, aborted; `error_code` the code of the problem document; `ora_code`
    what the database said (`ORA-00942`), which only the log may show. `trace_id` is there when the request was traced.

    May be made by position, which takes a fifth of the time.
    """

    texts: ClassVar[tuple[str, ...] | None] = ()
    """The path alone holds anything, and is cleaned where it comes in: it goes to more places than the log."""

    request_id: str
    user: str | None
    endpoint: str | None
    endpoint_id: str | None
    method: str
    path: str
    client_ip: str
    status: int
    duration_ms: float
    row_count: int | None
    bytes: int
    revision: int | None
    outcome: str
    error_code: str | None = None
    ora_code: str | None = None
    auth_method_id: str | None = None
    aborted: bool = False
    trace_id: str | UnsetType = UNSET


class PublicEndpointServed(Event, frozen=True, kw_only=True):
    """An endpoint without authentication answered."""

    level: ClassVar[Level] = Level.WARNING
    texts: ClassVar[tuple[str, ...] | None] = ("endpoint",)

    request_id: str
    endpoint: str
    endpoint_id: str
    client_ip: str


class UnauthenticatedEndpointDenied(Event, frozen=True, kw_only=True):
    """An endpoint has neither an auth method nor the permission to be public: it answers 401 to everybody."""

    level: ClassVar[Level] = Level.WARNING
    texts: ClassVar[tuple[str, ...] | None] = ("endpoint",)

    request_id: str
    endpoint: str
    endpoint_id: str
    client_ip: str


class CredentialRefused(Event, frozen=True, kw_only=True):
    """A credential did not pass; `reason` is the authenticator's slug, `claimed` who the caller said it was."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"
    texts: ClassVar[tuple[str, ...] | None] = ("claimed",)

    request_id: str
    endpoint_id: str | None
    auth_method_id: str
    claimed: str
    client_ip: str
    reason: str


class SignInFlooded(Event, frozen=True, kw_only=True):
    """A caller was refused before its credential was looked at; `reason` says which limit (address, credential)."""

    level: ClassVar[Level] = Level.WARNING
    counted_by: ClassVar[str | None] = "reason"
    texts: ClassVar[tuple[str, ...] | None] = ()

    request_id: str
    client_ip: str
    reason: str
