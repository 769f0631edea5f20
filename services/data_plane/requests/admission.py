"""Endpoints without an auth method: public ones are served and said aloud, the others are denied."""

import time
from collections import OrderedDict
from collections.abc import Callable

from data_plane.catalogs.route import Route
from qg_core.errors import CredentialMissing
from qg_telemetry.events import Observe, PublicEndpointServed, UnauthenticatedEndpointDenied

SAID_EVERY_S = 60.0
ENDPOINTS_REMEMBERED_MAX = 10_000


class Admission:
    """Says `public_endpoint_served` and `unauthenticated_endpoint_denied` at most once a minute per endpoint.

    Every request has its own line anyway; a warning with each would only drown the log.
    """

    def __init__(self, observe: Observe, now: Callable[[], float] = time.monotonic) -> None:
        self._observe = observe
        self._now = now
        self._said_at: OrderedDict[str, float] = OrderedDict()

    def admit(self, route: Route, request_id: str, client_ip: str) -> None:
        """Return for a public endpoint. Raises `CredentialMissing` for any other: nothing says who may call it."""
        if self._due(route.endpoint.id):
            event = PublicEndpointServed if route.public else UnauthenticatedEndpointDenied
            self._observe(
                event(
                    request_id=request_id,
                    endpoint=route.endpoint.name,
                    endpoint_id=route.endpoint.id,
                    client_ip=client_ip,
                )
            )
        if not route.public:
            raise CredentialMissing

    def _due(self, endpoint_id: str) -> bool:
        now = self._now()
        said_at = self._said_at.get(endpoint_id)
        if said_at is not None and now - said_at < SAID_EVERY_S:
            return False
        self._said_at[endpoint_id] = now
        self._said_at.move_to_end(endpoint_id)
        if len(self._said_at) > ENDPOINTS_REMEMBERED_MAX:
            self._said_at.popitem(last=False)
        return True
