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
        """Raises `NodeBusy`; otherwise `leave` must follow."""
        if self.in_flight >= self.in_flight_max:
            raise NodeBusy(retry_after_s=RETRY_AFTER_S)
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1
