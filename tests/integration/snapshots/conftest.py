"""A gateway with snapshot endpoints, published by hand, and nodes of it: in this process, or as one of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from data_plane.snapshots import rejected
from qg_devstack.hand_published import HandPublished
from tests.integration.snapshots.rig import Gateway, SnapshotNode

StartNode = Callable[..., Awaitable[SnapshotNode]]


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(rejected, "RETRY_MAX_S", 0.1)


@pytest.fixture
async def gateway(redis_url: str) -> AsyncIterator[Gateway]:
    """Two public snapshot endpoints on a connection that nobody needs, published at revision 1."""
    found = Gateway(HandPublished(redis_url))
    await found.published.publish()
    yield found
    await found.close()


@pytest.fixture
async def start_node(gateway: Gateway, tmp_path: Path) -> AsyncIterator[StartNode]:
    """`await start_node(name="node-1", follow=False, **limits)`; the same name has the same directory."""
    nodes: list[SnapshotNode] = []

    async def start(name: str = "node-1", *, follow: bool = False, **limits: int) -> SnapshotNode:
        node = SnapshotNode(gateway, tmp_path / name, **limits)  # type: ignore[arg-type]  # as given
        nodes.append(node)
        await node.boot(follow=follow)
        return node

    yield start
    for node in nodes:
        await node.close()
