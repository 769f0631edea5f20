"""Access events of requests that are over: made many at a time, when their lines are, and not one by one in between."""

from collections.abc import Iterable

from qg_core.access_events import PRINCIPAL_LENGTH_MAX, REMOTE_IP_LENGTH_MAX, AccessEvent
from qg_telemetry.events import RequestServed

End = tuple[float, str | None]
"""What the request line does not say: when a request was over, on `time.monotonic()`'s clock, and its credential."""


def access_events(
    served: Iterable[RequestServed], ends: Iterable[End], first: int, wall_clock_ahead_s: float
) -> list[AccessEvent]:
    """An event for each, under the numbers from `first` on; every text is cut to its length.

    `wall_clock_ahead_s` is what to add to the monotonic clock for Unix seconds.
    """
    return [
        AccessEvent(
            number,
            ended + wall_clock_ahead_s,
            one.request_id,
            one.endpoint_id,
            one.path,
            one.method,
            None if one.user is None else one.user[:PRINCIPAL_LENGTH_MAX],
            one.auth_method_id,
            credential_id,
            one.client_ip[:REMOTE_IP_LENGTH_MAX],
            one.status,
            one.duration_ms,
            one.row_count,
            one.bytes,
            one.revision,
        )
        for number, (one, (ended, credential_id)) in enumerate(zip(served, ends, strict=True), first)
    ]
