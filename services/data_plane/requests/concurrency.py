"""How many requests run at once on this node. (Calls per endpoint are counted by its statement.)"""

from qg_core.errors import NodeBusy
from qg_serving import RunningRequests

RETRY_AFTER_S = 1


class NodeGate(RunningRequests):
    """Counts the requests in flight; one too many is refused at once, nobody queues here."""

    __slots__ = ("running_max",)

    def __init__(self, running_max: int) -> None:
        super().__init__()
        self.running_max = running_max

    def check(self) -> None:
        """Raises `NodeBusy` for a request that is one too many."""
        if self.running > self.running_max:
            raise NodeBusy(retry_after_s=RETRY_AFTER_S)
