"""Requests to the control plane as traces."""

import time

from qg_telemetry.events import AdminRequestServed
from qg_telemetry.redaction import clean
from qg_telemetry.traces import Attribute, Kind, Traces, Work, known_method, request_name

UNMATCHED = "/"
"""What a request is called that reached no route: paths that callers invent are no names."""


def record_request(traces: Traces, served: AdminRequestServed, route: str, traceparent: bytes | None) -> str | None:
    """Tell of a request that has just ended; its trace's id, if it is traced.

    `route` is the path with its parameters named, empty when none was reached.
    """
    ended = time.time()
    attributes: dict[str, Attribute] = {
        "http.request.method": known_method(served.method),
        "url.path": clean(served.path),
        "http.response.status_code": served.status,
        "http.response.body.size": served.bytes,
        "client.address": served.client_ip,
        "qg.request_id": served.request_id,
    }
    if route:
        attributes["http.route"] = route
    if served.user is not None:
        attributes["enduser.id"] = served.user
    if served.error_code is not None:
        attributes["error.type"] = served.error_code
    work = Work(
        name=request_name(served.method, route or UNMATCHED),
        kind=Kind.SERVES,
        began=ended - served.duration_ms / 1_000,
        ended=ended,
        attributes=attributes,
        failed=served.status >= 500,
    )
    return traces.record(work, traceparent)
