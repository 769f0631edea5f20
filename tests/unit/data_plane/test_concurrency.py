"""The gate of a node: refuses instead of queueing."""

import pytest

from data_plane.concurrency import NodeGate
from qg_core.errors import NodeBusy


def test_node_gate() -> None:
    gate = NodeGate(2)
    gate.enter()
    gate.enter()
    with pytest.raises(NodeBusy) as caught:
        gate.enter()
    assert caught.value.headers == {"Retry-After": "1"}
    gate.leave()
    gate.enter()
    assert gate.in_flight == 2
