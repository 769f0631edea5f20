"""One gateway with a connection, a method with a credential and two endpoints; nodes of it on demand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from qg_store.models import AuthMethod, Connection, Credential, Endpoint
from tests.fixtures.store import StoreUrls
from tests.integration.publishing.rig import Rig, endpoint
from tests.integration.refresh.nodes import Node

StartNode = Callable[..., Awaitable[Node]]


class Gateway(msgspec.Struct, frozen=True):
    """What was published at revision 1, and who publishes."""

    rig: Rig
    connection: Connection
    method: AuthMethod
    credential: Credential
    orders: Endpoint
    public: Endpoint


@pytest.fixture
async def gateway(store_urls: StoreUrls, redis_url: str) -> AsyncIterator[Gateway]:
    """Published and activated; its loops are stopped unless the test starts them."""
    rig = Rig(store_urls.app, redis_url)
    connection, method = rig.connection(), rig.api_key_method()
    credential = rig.credential(method)
    orders, public = endpoint(connection, method), endpoint(connection, path="public")
    await rig.add(connection, method, credential, orders, public)
    await rig.parts.activation.run()
    yield Gateway(rig, connection, method, credential, orders, public)
    await rig.close()


@pytest.fixture
async def start_node(redis_url: str, tmp_path: Path) -> AsyncIterator[StartNode]:
    """`await start_node(gateway.rig.keys, name="node-1", follow=False, ...)`; same name, same directory."""
    nodes: list[Node] = []

    async def start(
        keys: object, *, name: str = "node-1", follow: bool = False, url: str = "", **options: object
    ) -> Node:
        node = Node(url or redis_url, keys, tmp_path / name, name=name, **options)  # type: ignore[arg-type]  # as given
        nodes.append(node)
        return await node.boot(follow=follow)

    yield start
    for node in nodes:
        await node.close()
