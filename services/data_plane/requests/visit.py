"""What is known about one request so far; the request line is written from it, however the request ends."""

from data_plane.catalogs.catalog import Catalog
from data_plane.catalogs.route import Route
from data_plane.requests.request import Request
from qg_core.errors import GatewayError
from qg_security.principals import Principal
from qg_telemetry.events import RequestServed

OUTCOME_OK = "ok"
OUTCOME_REFUSED = "refused"
OUTCOME_FAILED = "failed"
OUTCOME_ABORTED = "aborted"

STATUS_CLIENT_GONE = 499
"""What the request line says when nobody was left to answer; never sent."""

PATH_LOGGED_MAX = 512
METHOD_LOGGED_MAX = 16
"""A method may be any token that fits into a request's head."""


class Visit:
    """Filled in by the gateway and the pipeline alone, as the request passes through them.

    `ended` is on `time.monotonic()`'s clock, in seconds.
    """

    __slots__ = (
        "aborted",
        "body_bytes",
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
        self.ended = request.started

    def served(self) -> RequestServed:
        """The one event of this request."""
        request = self.request
        route = self.route
        principal = self.principal
        error = self.error
        return RequestServed(
            request_id=request.request_id,
            user=self.user,
            endpoint=None if route is None else route.endpoint.name,
            endpoint_id=None if route is None else route.endpoint.id,
            method=request.method[:METHOD_LOGGED_MAX],
            path=request.raw_path[:PATH_LOGGED_MAX].decode("latin-1"),
            client_ip=self.client_ip,
            status=self.status,
            duration_ms=round((self.ended - request.started) * 1000, 3),
            row_count=self.row_count,
            bytes=self.body_bytes,
            revision=None if self.catalog is None else self.catalog.revision,
            outcome=self._outcome(),
            error_code=None if error is None else error.code,
            ora_code=None if error is None else error.cause_code,
            auth_method_id=None if principal is None else principal.auth_method_id,
            aborted=self.aborted,
        )

    def _outcome(self) -> str:
        if self.aborted:
            return OUTCOME_ABORTED
        if self.status < 400:
            return OUTCOME_OK
        return OUTCOME_REFUSED if self.status < 500 else OUTCOME_FAILED
