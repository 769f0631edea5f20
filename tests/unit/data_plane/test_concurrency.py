"""The gate of a node: refuses instead of queueing."""

import pytest

from data_plane.requests.concurrency import NodeGate
from qg_core.errors import NodeBusy


def test_node_gate() -> None:
    gate = NodeGate(2)
    for _ in range(2):
        gate.enter()
        gate.check()
    gate.enter()
    with pytest.raises(NodeBusy) as caught:
        gate.check()
    assert caught.value.headers == {"Retry-After": "1"}
    gate.leave()
    gate.check()
