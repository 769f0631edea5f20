"""What is known about one request so far; the request line is written from it, however the request ends."""

from data_plane.catalogs.catalog import Catalog
from data_plane.catalogs.route import Route, shown_path
from data_plane.requests.request import Request
from qg_core.access_events import METHOD_LENGTH_MAX
from qg_core.errors import GatewayError
from qg_security.principals import Principal
from qg_telemetry.events import RequestServed

OUTCOME_OK = "ok"
OUTCOME_REFUSED = "refused"
OUTCOME_FAILED = "failed"
OUTCOME_ABORTED = "aborted"

STATUS_CLIENT_GONE = 499
"""What the request line says when nobody was left to answer; never sent."""


class Visit:
    """Filled in by the gateway and the pipeline alone, as the request passes through them.

    `ended` is on `time.monotonic()`'s clock, in seconds, and so is `bound`, when its parameters were understood, 0
    before.
    """

    __slots__ = (
        "aborted",
        "body_bytes",
        "bound",
        "catalog",
        "client_ip",
        "ended",
        "error",
        "principal",
        "request",
        "route",
        "row_count",
        "status",
        "user",
    )

    def __init__(self, request: Request, client_ip: str) -> None:
        self.request = request
        self.client_ip = client_ip
        self.catalog: Catalog | None = None
        self.route: Route | None = None
        self.principal: Principal | None = None
        self.user: str | None = None
        self.status = 500
        self.row_count: int | None = None
        self.body_bytes = 0
        self.error: GatewayError | None = None
        self.aborted = False
        self.bound = 0.0
        self.ended = request.started

    def served(self) -> RequestServed:
        """The one event of this request."""
        request = self.request
        route = self.route
        principal = self.principal
        error = self.error
        return RequestServed(
            request.request_id,
            self.user,
            None if route is None else route.endpoint.name,
            None if route is None else route.endpoint.id,
            request.method[:METHOD_LENGTH_MAX],
            shown_path(request.raw_path) if route is None else route.shown_path,
            self.client_ip,
            self.status,
            int((self.ended - request.started) * 1e6) / 1000,
            self.row_count,
            self.body_bytes,
            None if self.catalog is None else self.catalog.revision,
            OUTCOME_OK if self.status < 400 and not self.aborted else self._outcome(),
            None if error is None else error.code,
            None if error is None else error.cause_code,
            None if principal is None else principal.auth_method_id,
            self.aborted,
        )

    def _outcome(self) -> str:
        """Of a request that did not go well."""
        if self.aborted:
            return OUTCOME_ABORTED
        return OUTCOME_REFUSED if self.status < 500 else OUTCOME_FAILED
