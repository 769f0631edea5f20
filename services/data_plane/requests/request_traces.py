"""Data requests as traces: one piece of work each, with what was run for it."""

from collections.abc import Callable

from data_plane.requests.visit import Visit
from qg_telemetry.events import RequestServed
from qg_telemetry.traces import Attribute, Kind, Traces, Work, known_method, request_name

UNMATCHED = "/api/v1/data"
"""What a request is called that reached no endpoint: paths that callers invent are no names."""


class RequestTraces:
    """`is_trusted` says whether a peer is a trusted proxy: only there a caller may name the trace and have it taken."""

    def __init__(self, traces: Traces, is_trusted: Callable[[str], bool]) -> None:
        self._traces = traces
        self._is_trusted = is_trusted

    def record(self, visit: Visit, served: RequestServed, wall_clock_ahead_s: float) -> str | None:
        """Tell of a request that is over; its trace's id, if it is traced.

        `wall_clock_ahead_s` is what to add to the monotonic clock for Unix seconds.
        """
        request = visit.request
        began, ended = request.started + wall_clock_ahead_s, visit.ended + wall_clock_ahead_s
        route = visit.route
        path = served.path
        attributes: dict[str, Attribute] = {
            "http.request.method": known_method(served.method),
            "url.path": path,
            "http.response.status_code": served.status,
            "http.response.body.size": served.bytes,
            "client.address": served.client_ip,
            "qg.request_id": served.request_id,
        }
        parts: tuple[Work, ...] = ()
        if route is not None:
            attributes |= {"http.route": path, "qg.endpoint_id": route.endpoint.id}
            if visit.bound:
                parts = (_run(route.stored, visit.bound + wall_clock_ahead_s, ended, served),)
        if served.revision is not None:
            attributes["qg.revision"] = served.revision
        if served.user is not None:
            attributes["enduser.id"] = served.user
        if served.error_code is not None:
            attributes["error.type"] = served.error_code
        work = Work(
            name=request_name(served.method, UNMATCHED if route is None else path),
            kind=Kind.SERVES,
            began=began,
            ended=ended,
            attributes=attributes,
            failed=served.status >= 500 or served.aborted,
            parts=parts,
        )
        traceparent = request.fields.get(b"traceparent")
        return self._traces.record(work, traceparent if traceparent and self._is_trusted(request.peer) else None)


def _run(stored: bool, began: float, ended: float, served: RequestServed) -> Work:
    """From the moment when the request was known to be allowed and well formed: its rows, and sending them."""
    attributes: dict[str, Attribute] = {} if stored else {"db.system.name": "oracle.db"}
    if served.row_count is not None:
        attributes["db.response.returned_rows"] = served.row_count
    if served.ora_code is not None:
        attributes["db.response.status_code"] = served.ora_code
    return Work(
        name="stored rows" if stored else "query",
        kind=Kind.INTERNAL if stored else Kind.CALLS,
        began=began,
        ended=ended,
        attributes=attributes,
        failed=served.status >= 500,
    )
