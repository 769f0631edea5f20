"""A node's snapshots: taken when they verify and a route serves them, kept when Redis goes or forgets."""

from pathlib import Path

import msgspec
import pytest

from data_plane.snapshots import follower
from qg_bundle import keys
from qg_bundle.snapshots.reader import SealedHeader
from qg_core.errors import ConnectionUnavailable
from qg_core.snapshots import PIECE_BYTES
from qg_core.specs import SpecKind
from qg_devstack.hand_published import HandPublished
from qg_devstack.servers import RedisOptions
from tests.fixtures.redis import StartRedis
from tests.integration.snapshots.conftest import StartNode
from tests.integration.snapshots.rig import Gateway, SnapshotNode, large_rows, looks_until, missing, rows_of
from tests.support.waiting import until


async def test_a_snapshot_is_served_from_the_next_look_on(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    assert await missing(node, gateway.first)
    await gateway.put(gateway.first, 1)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1)
    assert await missing(node, gateway.second)
    await gateway.put(gateway.first, 2)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(2)
    assert node.files() == {f"{name}.{kind}" for name in node.snapshot_ids() for kind in ("header", "zstd", "gzip")}
    assert node.saw("snapshot_taken", source="redis") == 2


async def test_a_following_node_takes_it_by_itself(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(follow=True)
    await gateway.put(gateway.first, 1)
    taken_s = await until(lambda: node.saw("snapshot_taken") == 1)
    # The version is looked at with every tick; all numbers are compared more rarely.
    assert taken_s < follower.LOOK_EVERY_S / 2


async def test_nothing_is_fetched_twice(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1, large_rows(3 * PIECE_BYTES))
    await node.look()
    await gateway.redis.config_resetstat()
    for _ in range(5):
        await node.look()
        await node.text(gateway.first, "gzip")
        await node.text(gateway.first)
    statistics = await gateway.redis.info("commandstats")
    # Head, beacon and version: nothing else is read while nothing changes, however many ask.
    assert statistics["cmdstat_getrange"]["calls"] == 3 * 5


async def test_a_flushed_redis_leaves_what_is_served(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    stored = await gateway.put(gateway.first, 3)
    await node.look()
    await gateway.redis.flushdb()
    await node.look()
    assert await node.rows(gateway.first) == rows_of(3)
    older = gateway.snapshot(gateway.first, 2, created_at=stored.header.created_at - 10)
    await older.put(gateway.redis)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(3)
    assert node.saw("snapshot_rejected", reason="older") == 1
    assert node.reporting.report().wanted == (f"snapshot:{gateway.first}",)
    await stored.put(gateway.redis)
    await looks_until(node, lambda: node.reporting.report().wanted == ())
    await gateway.put(gateway.first, 4)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(4)


async def test_after_a_restore_of_postgres_later_snapshots_are_taken(gateway: Gateway, start_node: StartNode) -> None:
    """Numbers begin again from the backup's; the time of the snapshot goes on."""
    node = await start_node()
    await gateway.put(gateway.first, 50)
    await node.look()
    later = gateway.snapshot(gateway.first, 12)
    await gateway.writer.put_again(later.header, later.sealed, later.pieces())
    await node.look()
    assert await node.rows(gateway.first) == rows_of(12)


async def test_another_producer_is_not_served(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1)
    gateway.published.change(SpecKind.ENDPOINT, gateway.first, sql_text="select 'changed' as label from dual")
    await gateway.published.publish()
    await node.look()
    assert await missing(node, gateway.first)
    old = await gateway.put(gateway.first, 2, producer="0" * 64)
    await node.look()
    assert await missing(node, gateway.first)
    assert not node.saw("snapshot_rejected"), "it was made before the change: nothing is wrong with it"
    await gateway.put(gateway.first, old.header.number + 1)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(3)


async def test_a_snapshot_that_comes_before_its_revision(gateway: Gateway, start_node: StartNode) -> None:
    """A worker may be quicker than this node: the one that is served stays until the catalog follows."""
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    gateway.published.change(SpecKind.ENDPOINT, gateway.first, rows_max=17)
    await gateway.put(gateway.first, 2)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1)
    await gateway.published.publish()
    await node.look()
    assert await node.rows(gateway.first) == rows_of(2)


async def test_what_changes_no_row_keeps_the_snapshot(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    before = dict((await node.answer(gateway.first)).headers)[b"etag"]
    gateway.published.change(SpecKind.ENDPOINT, gateway.first, version="v2", is_deprecated=True)
    await gateway.published.publish()
    await node.look()
    answer = await node.answer(gateway.first)
    assert dict(answer.headers)[b"deprecation"] == b"true"
    assert dict(answer.headers)[b"etag"] != before, "its meta has changed"
    assert msgspec.json.decode(answer.body or b"")["meta"]["version"] == "v2"


async def test_without_its_connection_it_is_as_unavailable_as_a_live_one(
    gateway: Gateway, start_node: StartNode
) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    connection = gateway.published.specs[SpecKind.CONNECTION, gateway.connection]
    gateway.published.remove(SpecKind.CONNECTION, gateway.connection)
    await gateway.published.publish()
    await node.look()
    with pytest.raises(ConnectionUnavailable):
        await node.answer(gateway.first)
    gateway.published.put(connection)
    await gateway.published.publish()
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1), "its files were kept"
    assert node.saw("snapshot_taken") == 1


async def test_a_node_survives_a_redis_that_goes_and_comes(start_redis: StartRedis, tmp_path: Path) -> None:
    server = start_redis(RedisOptions(append_only=True))
    gateway = Gateway(HandPublished(server.address.url()))
    await gateway.published.publish()
    node = SnapshotNode(gateway, tmp_path)
    await node.boot(follow=True)
    try:
        await gateway.put(gateway.first, 1)
        await until(lambda: node.saw("snapshot_taken") == 1)
        server.kill()
        await until(lambda: node.saw("redis_lost") == 1)
        await node.look()
        assert await node.rows(gateway.first) == rows_of(1)
        server.start()
        await until(lambda: node.saw("redis_found") == 1)
        await gateway.put(gateway.first, 2)
        await until(lambda: node.saw("snapshot_taken") == 2)
        assert await node.rows(gateway.first) == rows_of(2)
        assert not node.saw("unforeseen_error")
    finally:
        await node.close()
        await gateway.close()


async def test_a_refusal_ends_with_what_was_refused(gateway: Gateway, start_node: StartNode) -> None:
    """The report, the state and the loop are as before once nobody serves it, or Redis no longer lists it."""
    node = await start_node()
    for endpoint_id in (gateway.first, gateway.second):
        await gateway.put(endpoint_id, 1)
        await gateway.redis.set(keys.snapshot(endpoint_id), b"altered")
    await node.look()
    assert node.snapshots.follower.refused == 2
    gateway.published.remove(SpecKind.ENDPOINT, gateway.first)
    await gateway.published.publish()
    await node.look()
    assert node.reporting.report().wanted == (f"snapshot:{gateway.second}",)
    await gateway.writer.remove(gateway.second)
    await node.look()
    assert (node.reporting.report().wanted, node.reporting.report().last_error) == ((), None)
    assert node.snapshots.follower.refused == 0


async def test_what_is_lost_while_others_are_compared_is_looked_for_again(
    gateway: Gateway, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()
    await gateway.put(gateway.first, 1)
    await node.look()
    await gateway.put(gateway.second, 2)
    shelf, fetching = node.snapshots._shelf, node.snapshots.follower._fetching
    fetch = fetching.fetch

    async def losing(sealed: SealedHeader) -> None:
        shelf.take(gateway.first)
        shelf.on_lost()
        await fetch(sealed)

    with monkeypatch.context() as patched:
        patched.setattr(fetching, "fetch", losing)
        await node.look()
    assert await missing(node, gateway.first)
    await node.look()
    assert await node.rows(gateway.first) == rows_of(1)
