"""How many requests run at once on this node. (Calls per endpoint are counted by its statement.)"""

from qg_core.errors import NodeBusy

RETRY_AFTER_S = 1


class NodeGate:
    """Counts the requests in flight; one too many is refused at once, nobody queues here."""

    __slots__ = ("in_flight", "in_flight_max")

    def __init__(self, in_flight_max: int) -> None:
        self.in_flight = 0
        self.in_flight_max = in_flight_max

    def enter(self) -> None:
        """Count a request; `leave` must follow."""
        self.in_flight += 1

    def check(self) -> None:
        """Raises `NodeBusy` for a request that is one too many."""
        if self.in_flight > self.in_flight_max:
            raise NodeBusy(retry_after_s=RETRY_AFTER_S)

    def leave(self) -> None:
        self.in_flight -= 1
