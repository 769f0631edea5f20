"""The way of one data request. Only this module knows the order; every step takes values and returns values."""

import time

from data_plane.catalogs.catalog import Catalog
from data_plane.catalogs.route import Route
from data_plane.refreshing.refresh import Refresher
from data_plane.requests.admission import Admission
from data_plane.requests.answers import Answer
from data_plane.requests.asgi import Receive
from data_plane.requests.authenticate import Authentication
from data_plane.requests.bind import bind
from data_plane.requests.live import Live
from data_plane.requests.routes import match
from data_plane.requests.visit import Visit
from data_plane.snapshots.answer import StoredAnswers
from qg_core.errors import CatalogStale, SpecUnusable
from qg_security.principals import Principal

PUBLIC = "public"
"""What a database session shows as its client on a public endpoint."""


class Pipeline:
    """match -> authenticate (recall, refuse_flood, verify) -> bind -> execute | snapshot -> render."""

    def __init__(
        self,
        refresher: Refresher,
        admission: Admission,
        authentication: Authentication,
        live: Live,
        stored: StoredAnswers,
        *,
        cors: bool,
    ) -> None:
        self._refresher = refresher
        self._admission = admission
        self._authentication = authentication
        self._live = live
        self._stored = stored
        self.cors = cors
        """Whether pages of any origin are let in, so that OPTIONS is among the methods; follows the settings."""

    async def answer(self, visit: Visit, catalog: Catalog, receive: Receive) -> Answer:
        """The answer to one request under one catalog. Raises `GatewayError`."""
        request = visit.request
        route = match(catalog, request.raw_path, request.method, cors=self.cors)
        visit.route = route
        if route.unusable is not None:
            raise SpecUnusable
        principal = await self._principal(route, visit)
        if principal is not None:
            visit.principal = principal
            visit.user = principal.tag
        binds = bind(route, request.query_string)
        visit.bound = time.monotonic()
        if route.stored:
            return await self._stored.answer(route, request, receive, self._live.deadline(route, request))
        if request.method == "HEAD":
            return Answer(route.shape.headers)
        return await self._live.answer(route, binds, request, visit.user or PUBLIC, receive)

    async def _principal(self, route: Route, visit: Visit) -> Principal | None:
        """Who calls; None on a public endpoint. Raises what becomes a 401, 429 or 503."""
        request = visit.request
        authenticator = route.authenticator
        if authenticator is None:
            self._admission.admit(route, request.request_id, visit.client_ip)
            return None
        now = time.time()
        if self._refresher.is_stale(now):
            raise CatalogStale
        presented = authenticator.read(request.fields)
        return authenticator.recall(presented, now) or await self._authentication.verify(
            authenticator, presented, request, visit.client_ip, now
        )
