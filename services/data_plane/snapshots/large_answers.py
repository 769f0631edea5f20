"""How many large answers of snapshots are being sent at once.

Nothing else bounds them: no call of a database stands behind one, and a client that reads slowly holds its place on
this node, memory and perhaps an open file until the time of its request is over.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial

from qg_core.errors import EndpointBusy, NodeBusy

RETRY_AFTER_S = 1
ENDPOINT_SHARE = 4
ALL_SHARE = 2
"""One endpoint may take a quarter of the node's places for large answers, all of them together one half."""


class LargeAnswers:
    """In the event loop only. `in_flight_max` are the requests that the node handles at once."""

    def __init__(self, in_flight_max: int) -> None:
        self._of_endpoint_max = max(1, in_flight_max // ENDPOINT_SHARE)
        self._all_max = max(1, in_flight_max // ALL_SHARE)
        self._of_endpoint: Counter[str] = Counter()
        self.running = 0

    def enter(self, endpoint_id: str) -> Callable[[], None]:
        """Count one more; what to call, once, when it is over. Raises `EndpointBusy`, `NodeBusy`."""
        if self._of_endpoint[endpoint_id] >= self._of_endpoint_max:
            raise EndpointBusy(retry_after_s=RETRY_AFTER_S)
        if self.running >= self._all_max:
            raise NodeBusy(retry_after_s=RETRY_AFTER_S)
        self._of_endpoint[endpoint_id] += 1
        self.running += 1
        return partial(self._leave, endpoint_id)

    def _leave(self, endpoint_id: str) -> None:
        self.running -= 1
        self._of_endpoint[endpoint_id] -= 1
        if not self._of_endpoint[endpoint_id]:
            del self._of_endpoint[endpoint_id]
