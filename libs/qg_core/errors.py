"""Every error a caller of the gateway can meet: one class, one code, one status.

    GatewayError
    ├── BadRequest            400   ├── MethodNotAllowed       405   ├── QueryFailed            500
    │   └── QueryRefused            ├── NameTaken              409   ├── DuplicateColumns       500
    ├── CredentialMissing     401   ├── StillInUse             409   ├── Unavailable            503
    ├── CredentialInvalid     401   ├── NotApplicable          409   │   └── (see below, each with its code)
    ├── CredentialExpired     401   ├── BodyTooLarge           413   └── QueryTimedOut          504
    ├── SignInFailed          401   ├── TargetTooLong          414
    ├── Forbidden             403   ├── InvalidInput           422
    ├── NotFound              404   └── RateLimited            429
    │   └── EndpointNotFound            └── SignInLimited

`detail` is one sentence for a person; it never holds SQL, a DSN, a schema name or a secret. What the operator needs
beyond it goes into
an event (`qg_telemetry.events`), not into the error. `docs/errors.md` lists every code; a test compares the two.
"""

from collections.abc import Iterable
from typing import ClassVar

import msgspec


class FieldProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field of the input; `field` is a dotted path such as `param_schema.dept_id.type`."""

    field: str
    message: str


class GatewayError(Exception):
    """Base of all errors that reach a caller. Subclasses fix `code`, `status` and `title`."""

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    default_detail: ClassVar[str]

    def __init__(self, detail: str | None = None, *, headers: dict[str, str] | None = None) -> None:
        self.detail = detail if detail is not None else self.default_detail
        self.headers: dict[str, str] = headers or {}
        self.cause_code: str | None = None
        """What lay behind it, such as `ORA-00942` or `DPY-4011`: for the event, never for the caller."""
        super().__init__(self.detail)


class BadRequest(GatewayError):
    code, status, title = "bad_request", 400, "Bad request"
    default_detail = "The request could not be understood."


class QueryRefused(BadRequest):
    """Preview only: the database refused the query; `detail` names the class of error, never a DSN or schema."""

    code, title = "query_refused", "Query refused"
    default_detail = "The database refused the query."


class CredentialMissing(GatewayError):
    """No credential was sent; `challenge` becomes `WWW-Authenticate`; `reason` is a short slug for the event alone."""

    code, status, title = "credential_missing", 401, "Credential required"
    default_detail = "Authentication required."

    def __init__(self, detail: str | None = None, *, challenge: str = "Bearer", reason: str = "missing") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": challenge})
        self.reason = reason


class CredentialInvalid(CredentialMissing):
    """Malformed, unknown, wrong or revoked: the caller can't tell which; the event says it."""

    code, title = "credential_invalid", "Credential refused"
    default_detail = "The credential is not valid."


class CredentialExpired(CredentialMissing):
    code, title = "credential_expired", "Credential expired"
    default_detail = "The credential has expired."


class SignInFailed(CredentialMissing):
    code, title = "sign_in_failed", "Sign-in failed"
    default_detail = "Invalid username or password."


class Forbidden(GatewayError):
    code, status, title = "forbidden", 403, "Forbidden"
    default_detail = "You are not allowed to do this."


class NotFound(GatewayError):
    code, status, title = "not_found", 404, "Not found"
    default_detail = "There is no such thing."


class EndpointNotFound(NotFound):
    code, title = "endpoint_not_found", "Endpoint not found"
    default_detail = "No endpoint registered at this path."


class MethodNotAllowed(GatewayError):
    code, status, title = "method_not_allowed", 405, "Method not allowed"
    default_detail = "This method is not allowed here."

    def __init__(self, allow: Iterable[str], detail: str | None = None) -> None:
        super().__init__(detail, headers={"Allow": ", ".join(allow)})


class NameTaken(GatewayError):
    code, status, title = "name_taken", 409, "Already taken"
    default_detail = "Another one with this name or path exists."


class StillInUse(GatewayError):
    code, status, title = "still_in_use", 409, "Still in use"
    default_detail = "It is still in use."


class NotApplicable(GatewayError):
    code, status, title = "not_applicable", 409, "Not applicable"
    default_detail = "This does not apply here."


class BodyTooLarge(GatewayError):
    code, status, title = "body_too_large", 413, "Body too large"
    default_detail = "The request body is too large."


class TargetTooLong(GatewayError):
    code, status, title = "target_too_long", 414, "Request target too long"
    default_detail = "The request target is too long."


class HeadersTooLarge(GatewayError):
    code, status, title = "headers_too_large", 431, "Request headers too large"
    default_detail = "The request headers are too large."


class InvalidInput(GatewayError):
    """The input is wrong; carries every problem at once."""

    code, status, title = "invalid_input", 422, "Invalid input"
    default_detail = "The input is not valid."

    def __init__(self, problems: Iterable[FieldProblem], detail: str | None = None) -> None:
        self.problems = tuple(problems)
        if detail is None and self.problems:
            shown = "; ".join(f"{problem.field}: {problem.message}" for problem in self.problems[:3])
            more = len(self.problems) - 3
            detail = shown + (f"; and {more} more" if more > 0 else "")
        super().__init__(detail)


class RateLimited(GatewayError):
    code, status, title = "rate_limited", 429, "Too many requests"
    default_detail = "Too many requests; try again later."

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, retry_after_s))})


class SignInLimited(RateLimited):
    """Too many failed sign-ins from this address or for this credential."""

    code, title = "sign_in_limited", "Too many failed sign-ins"
    default_detail = "Too many failed sign-ins; try again later."


class QueryFailed(GatewayError):
    """The saved statement failed in the database; the ORA code is only in the log."""

    code, status, title = "query_failed", 500, "Query failed"
    default_detail = "The query of this endpoint failed in the database."


class DuplicateColumns(GatewayError):
    code, status, title = "duplicate_columns", 500, "Duplicate columns"
    default_detail = "The query of this endpoint returns two columns of the same name; rename one with column_map."


class Unavailable(GatewayError):
    """Base of the 503s; `Retry-After` where it helps."""

    code, status, title = "unavailable", 503, "Service unavailable"
    default_detail = "The service is not available right now."

    def __init__(self, detail: str | None = None, *, retry_after_s: int | None = None) -> None:
        headers = {"Retry-After": str(max(1, retry_after_s))} if retry_after_s is not None else {}
        super().__init__(detail, headers=headers)


class DatabaseBusy(Unavailable):
    code, title = "database_busy", "Database busy"
    default_detail = "The database is busy; try again later."


class DatabaseUnreachable(Unavailable):
    code, title = "database_unreachable", "Database unreachable"
    default_detail = "The database can't be reached right now."


class ConnectionUnavailable(Unavailable):
    code, title = "connection_unavailable", "Connection unavailable"
    default_detail = "The connection of this endpoint is missing or inactive."


class EndpointBusy(Unavailable):
    """`concurrency_max` calls of this endpoint are running on this node."""

    code, title = "endpoint_busy", "Endpoint busy"
    default_detail = "Too many calls of this endpoint are running; try again later."


class NodeBusy(Unavailable):
    """As many requests are in flight on this node as it takes."""

    code, title = "node_busy", "Node busy"
    default_detail = "This node is handling as many requests as it can; try again later."


class SignInBusy(Unavailable):
    """The bounded queue of password checks is full."""

    code, title = "sign_in_busy", "Sign-in busy"
    default_detail = "Too many credentials are being checked; try again later."


class SnapshotMissing(Unavailable):
    code, title = "snapshot_missing", "No snapshot yet"
    default_detail = "No snapshot available yet. It appears after the next successful run."


class RevisionNotReached(Unavailable):
    code, title = "revision_not_reached", "Revision not reached"
    default_detail = "This node does not serve that revision yet."


class CatalogStale(Unavailable):
    """The node has heard no verified beacon for longer than `STALENESS_MAX_S`."""

    code, title = "catalog_stale", "Catalog too old"
    default_detail = "This node has not heard from its control plane for too long; protected endpoints are closed."


class SpecUnusable(Unavailable):
    """The published form of the endpoint (or what it refers to) can't be opened by this node."""

    code, title = "spec_unusable", "Endpoint unusable"
    default_detail = "This endpoint can't be served by this node right now."


class NotReady(Unavailable):
    """No verified catalog is active yet."""

    code, title = "not_ready", "Not ready"
    default_detail = "This node is not ready yet."


class StoreUnavailable(Unavailable):
    """Control plane: Postgres can't be reached."""

    code, title = "store_unavailable", "Store unavailable"
    default_detail = "The control plane can't reach its database right now; nothing was changed."


class QueryTimedOut(GatewayError):
    code, status, title = "query_timeout", 504, "Query timed out"
    default_detail = "The query ran into its time limit."


class DeadlineExceeded(QueryTimedOut):
    """The deadline passed before the database was asked (waiting for a pooled connection)."""

    code, title = "deadline_exceeded", "Deadline exceeded"
    default_detail = "The time limit of this endpoint passed before the database answered."


def every_error() -> tuple[type[GatewayError], ...]:
    """All concrete error classes, in the order they are defined."""
    found: list[type[GatewayError]] = []

    def walk(cls: type[GatewayError]) -> None:
        for child in cls.__subclasses__():
            if child not in found:
                found.append(child)
            walk(child)

    walk(GatewayError)
    return tuple(found)
