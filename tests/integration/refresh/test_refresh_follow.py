"""A node follows what is published: deltas, checkpoints, hints, waiting requests, reports."""

import asyncio
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.exceptions import NoPermissionError

from data_plane.refreshing import catch_up
from qg_bundle import keys
from qg_bundle.node_reports import read_reports
from qg_core.errors import RevisionNotReached
from qg_core.nodes import NodeState
from qg_store.models import AuthMethod, Connection, Credential, Endpoint
from tests.integration.publishing.rig import Rig, endpoint
from tests.integration.refresh.conftest import Gateway, StartNode
from tests.integration.refresh.nodes import Node
from tests.support.waiting import until


async def test_a_node_serves_what_is_published(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    catalog = node.refresher.current
    assert catalog is not None
    assert node.revision == 1
    assert node.paths == {"orders", "public"}
    orders, public = catalog.routes[b"/api/v1/data/orders"], catalog.routes[b"/api/v1/data/public"]
    assert orders.authenticator is not None
    assert not orders.public
    assert public.authenticator is None
    assert public.public
    assert orders.target is not None
    assert orders.target.password == "tiger"
    assert orders.timeout_s == 30
    assert catalog.targets == (orders.target,)
    assert catalog.unusable == ()


async def test_what_did_not_change_is_kept(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    before = node.refresher.current
    await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=7)
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    after = node.refresher.current
    assert before is not None
    assert after is not None
    assert after.routes[b"/api/v1/data/orders"] is before.routes[b"/api/v1/data/orders"]
    assert after.routes[b"/api/v1/data/public"] is not before.routes[b"/api/v1/data/public"]
    assert after.routes[b"/api/v1/data/public"].authenticator is None


async def test_a_revoked_credential_changes_the_authenticator_alone(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    before = node.refresher.current
    await gateway.rig.remove(Credential, gateway.credential.id)
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    after = node.refresher.current
    assert before is not None
    assert after is not None
    path = b"/api/v1/data/orders"
    assert after.routes[path].authenticator is not before.routes[path].authenticator
    assert after.routes[path].statement is before.routes[path].statement


async def test_methods_and_connections_that_are_off_close_their_endpoints(
    gateway: Gateway, start_node: StartNode
) -> None:
    node = await start_node(gateway.rig.keys)
    await gateway.rig.edit(AuthMethod, gateway.method.id, is_active=False)
    await gateway.rig.edit(Connection, gateway.connection.id, is_active=False)
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    catalog = node.refresher.current
    assert catalog is not None
    orders = catalog.routes[b"/api/v1/data/orders"]
    assert orders.authenticator is None
    assert not orders.public
    assert orders.target is None
    assert orders.unusable is None
    assert catalog.targets == ()


async def test_far_behind_it_takes_the_checkpoint(
    gateway: Gateway, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node(gateway.rig.keys)
    monkeypatch.setattr(catch_up, "DELTAS_PER_READ_MAX", 20)
    for number in range(69):
        await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=number + 10)
    await gateway.rig.parts.activation.run()
    # Nothing but the checkpoint of 64 leads there.
    await gateway.rig.redis.delete(*(keys.delta(number) for number in range(2, 65)))
    await node.refresher.look()
    assert node.revision == 70
    assert node.refresher.state is NodeState.SERVING


async def test_an_edit_reaches_two_nodes_at_once(gateway: Gateway, start_node: StartNode) -> None:
    rig = gateway.rig
    one = await start_node(rig.keys, name="one", follow=True)
    two = await start_node(rig.keys, name="two", follow=True)
    rig.parts.activator.start()
    await until(lambda: one.refresher.beacon is not None and two.refresher.beacon is not None)
    # Let both subscribe; without the hint an edit would take up to a tick.
    await until(lambda: _listeners(rig, 2))
    taken: list[float] = []
    for number in range(20):
        revision = await rig.edit(Endpoint, gateway.public.id, rows_max=100 + number)
        taken.append(await until(serving(revision, one, two)))
    # On an idle machine some 20 ms; a tick would take 500 ms at the least, on any.
    assert statistics.median(taken) < 0.4, taken


async def test_a_lost_hint_costs_a_tick(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys, follow=True)
    await until(lambda: _listeners(gateway.rig, 1))
    worst = 0.0
    for number in range(3):
        revision = await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=100 + number)
        # Activation to the last step but the hint, as if it were lost.
        gateway.rig.parts.activation._writer.hint = _lost  # type: ignore[method-assign]  # the hint alone
        await gateway.rig.parts.activation.run()
        worst = max(worst, await until(serving(revision, node)))
    assert worst < 1.5


async def test_waiting_for_a_revision(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys, follow=True)
    await node.refresher.wait_for(1)
    waiting = asyncio.create_task(node.refresher.wait_for(2))
    assert await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=77) == 2
    await gateway.rig.parts.activation.run()
    await waiting
    assert node.revision == 2
    with pytest.raises(RevisionNotReached):
        await node.refresher.wait_for(1_003)
    started = time.monotonic()
    with pytest.raises(RevisionNotReached):
        await node.refresher.wait_for(3)
    assert 1.5 < time.monotonic() - started < 3.5


async def test_only_so_many_wait(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    waiting = [asyncio.create_task(node.refresher.wait_for(2)) for _ in range(256)]
    await asyncio.sleep(0)
    started = time.monotonic()
    with pytest.raises(RevisionNotReached):
        await node.refresher.wait_for(2)
    assert time.monotonic() - started < 0.5
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_report_shows_where_a_node_stands(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys, follow=True)
    await until(lambda: _reported(gateway.rig, revision=1, state=NodeState.SERVING))
    await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=77)
    await gateway.rig.parts.activation.run()
    await until(lambda: _reported(gateway.rig, revision=2, state=NodeState.SERVING))
    (report,) = await read_reports(gateway.rig.redis)
    assert (report.node, report.version, report.formats) == ("node-1", "test", (1,))
    assert 0 < await gateway.rig.redis.ttl(keys.node("node-1")) <= 15
    node.refresher.drain()
    await until(lambda: _reported(gateway.rig, revision=2, state=NodeState.DRAINING))


async def test_an_empty_gateway_is_served_too(gateway: Gateway, start_node: StartNode) -> None:
    rig = gateway.rig
    for row_type, row in (
        (Endpoint, gateway.orders),
        (Endpoint, gateway.public),
        (AuthMethod, gateway.method),
        (Connection, gateway.connection),
    ):
        await rig.remove(row_type, row.id)
    await rig.parts.activation.run()
    node = await start_node(rig.keys)
    assert node.refresher.current is not None
    assert node.paths == set()


PATHS = 25
"""Of each of four writers that write at once."""


async def test_two_publishers_race_and_nodes_converge(
    gateway: Gateway, start_node: StartNode, store_urls: object, redis_url: str
) -> None:
    one = gateway.rig
    two = Rig(store_urls.app, redis_url, one.keys)  # type: ignore[attr-defined]  # StoreUrls
    nodes = [await start_node(one.keys, name=name, follow=True) for name in ("one", "two")]
    one.parts.activator.start()
    two.parts.activator.start()

    async def write(rig: Rig, name: str) -> list[int]:
        return [await rig.add(endpoint(gateway.connection, path=f"{name}{n}")) for n in range(PATHS)]

    runs = await asyncio.gather(write(one, "a"), write(one, "b"), write(two, "c"), write(two, "d"))
    revisions = [revision for run in runs for revision in run]
    assert sorted(revisions) == list(range(2, 2 + 4 * PATHS))
    await until(lambda: all(node.revision == 1 + 4 * PATHS for node in nodes))
    expected = {"orders", "public"} | {f"{name}{n}" for name in "abcd" for n in range(PATHS)}
    assert all(node.paths == expected for node in nodes)
    # Whatever the order of the two activators, no node ever went back.
    for node in nodes:
        seen = [catalog.revision for catalog in node.swapped]
        assert seen == sorted(set(seen))
    await two.close()


def serving(revision: int, *nodes: Node) -> Callable[[], bool]:
    """Whether all of them have reached it."""
    return lambda: min(node.revision for node in nodes) >= revision


async def _listeners(rig: Rig, count: int) -> bool:
    ((_, found),) = await rig.redis.pubsub_numsub(keys.HINT)
    return bool(found >= count)


async def _reported(rig: Rig, *, revision: int, state: NodeState) -> bool:
    reports = await read_reports(rig.redis)
    return any(report.revision == revision and report.state is state for report in reports)


async def _lost(revision: int) -> None:
    """Nobody hears it."""


NODE_RIGHTS = (
    "on",
    ">node-password",
    "resetkeys",
    "%R~qg:*",
    "%W~qg:node:*",
    "%W~qg:nodes",
    "resetchannels",
    "&qg:hint",
    "-@all",
    *("+getrange", "+strlen", "+set", "+zadd", "+zrem", "+unlink"),
    *("+subscribe", "+unsubscribe", "+ping", "+select", "+client|setinfo"),
)
"""What docs/architecture.md says a data plane's Redis user needs."""


async def test_a_node_needs_few_rights(gateway: Gateway, start_node: StartNode, redis_url: str) -> None:
    redis = gateway.rig.redis
    await redis.execute_command("ACL", "SETUSER", "qg-node", *NODE_RIGHTS)  # type: ignore[no-untyped-call]  # untyped
    try:
        parts = urlsplit(redis_url)
        url = urlunsplit(parts._replace(netloc=f"qg-node:node-password@{parts.hostname}:{parts.port}"))
        node = await start_node(gateway.rig.keys, url=url, follow=True)
        await until(lambda: _listeners(gateway.rig, 1))
        revision = await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=77)
        await gateway.rig.parts.activation.run()
        await until(lambda: _reported(gateway.rig, revision=revision, state=NodeState.SERVING))
        with pytest.raises(NoPermissionError):
            await node.redis.set(keys.HEAD, 99)
        await node.close()
        assert await read_reports(redis) == []
    finally:
        await redis.execute_command("ACL", "DELUSER", "qg-node")  # type: ignore[no-untyped-call]  # untyped
