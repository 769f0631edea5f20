"""From commit to Redis: at once, in bursts, after crashes, floods, stops and restores; two control planes at once."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import asyncpg
import msgspec
import pytest
from sqlalchemy.exc import DBAPIError

from control_plane.publishing import service
from qg_activation.fault_points import FaultPoint, fault_points_from
from qg_bundle import keys
from qg_bundle.envelope import seal_beacon
from qg_bundle.limits import REVISION_MAX
from qg_bundle.node_reports import put_report, read_reports
from qg_bundle.writer import BundleWriter
from qg_core.nodes import NodeReport, NodeState
from qg_core.revisions import Beacon
from qg_security.sealing import new_fernet_key
from qg_security.signing import generate_signing_key
from qg_store.models import Connection, Endpoint
from qg_store.repositories import publishing as ledger
from qg_telemetry.events import RevisionActivated
from tests.fixtures.redis import StartRedis
from tests.fixtures.store import StoreUrls
from tests.integration.publishing.killed_edit import killed_edit
from tests.integration.publishing.rig import GATEWAY, Rig, endpoint
from tests.integration.refresh.nodes import Node, served_afresh
from tests.support.waiting import until


async def serves(rig: Rig, redis_url: str, directory: Path) -> int:
    return await served_afresh(rig.keys, redis_url, directory / f"fresh-{time.monotonic_ns()}")


async def test_an_empty_database_becomes_revision_one(rig: Rig, redis_url: str, tmp_path: Path) -> None:
    rig.parts.activator.start()
    await until(lambda: rig.saw("revision_activated", revision=1))
    assert await serves(rig, redis_url, tmp_path) == 1
    assert rig.parts.activator.last_errors == {}


async def test_a_control_plane_that_is_stopped_activates_first(rig: Rig, redis_url: str, tmp_path: Path) -> None:
    rig.parts.activator.start()
    await until(lambda: rig.saw("revision_activated", revision=1))
    await rig.add(rig.connection())
    await rig.parts.activator.close()
    assert await rig.redis.get(keys.HEAD) == b"2"
    assert await serves(rig, redis_url, tmp_path) == 2


@pytest.mark.fault
async def test_a_control_plane_that_hangs_keeps_nobody_from_activating(
    rig: Rig, store_urls: StoreUrls, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qg_store.repositories.publishing.head.ACTIVATION_IDLE_MAX_S", 1)
    await rig.add(rig.connection())
    async with rig.session() as hanging:
        await ledger.lock_activation(hanging)
        started = time.perf_counter()
        other = Rig(store_urls.app, redis_url, rig.keys)
        assert (await other.parts.activation.run()).revision == 1
        assert 0.5 < time.perf_counter() - started < 5.0
        await other.close()
        with contextlib.suppress(DBAPIError):
            await hanging.rollback()


async def test_the_head_moves_forward_only(rig: Rig) -> None:
    writer = BundleWriter(rig.redis)
    assert await writer.move_head(5) == 5
    assert await writer.move_head(3) == 5
    assert await writer.move_head(9) == 9
    moved = await asyncio.gather(*(writer.move_head(number) for number in range(10, 60)))
    assert moved[-1] == 59
    assert await rig.redis.get(keys.HEAD) == b"59"


async def test_a_burst_shares_an_activation(rig: Rig) -> None:
    rig.parts.activator.start()
    connection = rig.connection()
    revision = await rig.add(connection)
    await until(lambda: rig.saw("revision_activated", revision=revision))
    rig.events.clear()
    # Redis could not be quicker than twenty commits: nothing is activated until all of them are there.
    async with rig.session() as busy:
        await ledger.lock_activation(busy)
        await asyncio.gather(*(rig.add(endpoint(connection, path=f"e{number}")) for number in range(20)))
    head = await rig.publishing.head()
    await until(lambda: rig.saw("revision_activated", revision=head))
    assert [event.revision for event in rig.events if isinstance(event, RevisionActivated)] == [head]


@pytest.mark.fault
@pytest.mark.long  # tests/e2e/test_killed_publish.py kills whole control planes at the same points
@pytest.mark.parametrize("point", list(FaultPoint))
async def test_killed_at_every_step(
    rig: Rig, store_urls: StoreUrls, redis_url: str, tmp_path: Path, point: FaultPoint
) -> None:
    connection = rig.connection()
    row = endpoint(connection)
    await rig.add(connection, row)
    await rig.parts.activation.run()
    await killed_edit(rig, store_urls.app, redis_url, point, row.id)
    committed = point is not FaultPoint.BEFORE_COMMIT
    assert await rig.publishing.head() == (2 if committed else 1)
    # Nodes are safe to boot at this very moment, whatever lies there half done.
    assert await serves(rig, redis_url, tmp_path) in {1, 2}
    rig.parts.activator.start()
    next_revision = await rig.edit(Endpoint, row.id, rows_max=55)
    assert next_revision == (3 if committed else 2), "nothing lost, nothing reused"
    await until(lambda: rig.saw("revision_activated", revision=next_revision))
    assert await serves(rig, redis_url, tmp_path) == next_revision


def test_fault_points_are_refused_in_production() -> None:
    with pytest.raises(ValueError, match="production"):
        fault_points_from({"APP_ENV": "production", "QG_FAULT_POINT": "after_head"})
    with pytest.raises(ValueError, match="production"):
        fault_points_from({"QG_FAULT_POINT": "after_head"})
    with pytest.raises(ValueError, match="one of"):
        fault_points_from({"APP_ENV": "test", "QG_FAULT_POINT": "nowhere"})
    fault_points_from({"APP_ENV": "production"}).reach(FaultPoint.AFTER_HEAD)


async def test_a_hint_that_can_not_be_sent_holds_nothing_up(store_urls: StoreUrls, start_redis: StartRedis) -> None:
    rig = Rig(store_urls.app, start_redis().address.url())
    connection = rig.connection()
    row = endpoint(connection)
    await rig.add(connection, row)
    await rig.parts.activation.run()
    assert not rig.saw("hint_failed")
    await rig.redis.execute_command("ACL", "SETUSER", "default", "-publish")  # type: ignore[no-untyped-call]  # redis-py: untyped
    await rig.edit(Endpoint, row.id, rows_max=9)
    assert (await rig.parts.activation.run()).revision == 2
    assert rig.saw("hint_failed", revision=2, error="NoPermissionError")
    await rig.close()


@pytest.mark.fault
async def test_a_redis_that_hangs_delays_nothing_but_activation(
    store_urls: StoreUrls, start_redis: StartRedis, tmp_path: Path
) -> None:
    server = start_redis()
    url = server.address.url()
    rig = Rig(store_urls.app, url, timeout_s=0.3)
    connection = rig.connection()
    row = endpoint(connection)
    await rig.add(connection, row)
    rig.parts.activator.start()
    node = await Node(url, rig.keys, tmp_path / "node", timeout_s=0.3).boot(follow=True)
    await until(lambda: node.revision == 1)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        started = time.perf_counter()
        assert await rig.edit(Endpoint, row.id, rows_max=9) == 2
        assert time.perf_counter() - started < 2.0, "a commit waits for nobody"
        await until(lambda: rig.saw("activation_failed"))
        await until(lambda: node.refresher.state is NodeState.DEAF)
        assert node.revision == 1
        assert (node.reporting.report().last_error or "").startswith("redis_lost")
        started = time.perf_counter()
        await node.refresher.look()
        assert time.perf_counter() - started < 2.0
        await until(lambda: "activate" in rig.parts.activator.last_errors)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await until(lambda: node.revision == 2)
    await until(lambda: node.refresher.state is NodeState.SERVING)
    assert node.saw("redis_found")
    await node.close()
    await rig.close()


@pytest.mark.fault
async def test_a_redis_that_comes_back_empty_is_filled(
    store_urls: StoreUrls, start_redis: StartRedis, tmp_path: Path
) -> None:
    server = start_redis()
    url = server.address.url()
    rig = Rig(store_urls.app, url, timeout_s=0.3)
    connection = rig.connection()
    row = endpoint(connection)
    await rig.add(connection, row)
    rig.parts.activator.start()
    node = await Node(url, rig.keys, tmp_path / "node", timeout_s=0.3).boot(follow=True)
    await until(lambda: node.revision == 1)
    server.kill()
    assert await rig.edit(Endpoint, row.id, rows_max=9) == 2
    await until(lambda: node.saw("redis_lost"))
    server.start()
    await until(lambda: node.revision == 2)
    await until(lambda: node.refresher.state is NodeState.SERVING)

    async def a_fresh_node_serves_it() -> bool:
        return await serves(rig, url, tmp_path) == 2

    # The delta is enough for a node that has revision 1; the checkpoint comes with the next look.
    await until(a_fresh_node_serves_it)
    await node.close()
    await rig.close()


async def forget_after(url: str, revision: int) -> None:
    """Postgres as an older backup has it."""
    connection = await asyncpg.connect(url)
    try:
        for table in ("revision_changes", "checkpoints", "revisions"):
            await connection.execute(f"DELETE FROM {table} WHERE revision > $1", revision)
        await connection.execute("UPDATE publish_state SET activated = $1, head = $1", revision)
    finally:
        await connection.close()


async def test_a_restored_postgres_moves_past_what_nodes_have_seen(
    rig: Rig, store_urls: StoreUrls, redis_url: str, tmp_path: Path
) -> None:
    connection = rig.connection()
    row = endpoint(connection)
    await rig.add(connection, row)
    for number in range(5):
        await rig.edit(Connection, connection.id, pool_max=20 + number)
    await rig.parts.activation.run()
    node = await Node(redis_url, rig.keys, tmp_path / "node").boot()
    assert node.revision == 6
    await forget_after(store_urls.superuser, 2)
    # Not noticed yet: a write takes a number that nodes have seen with other content. They ignore it.
    assert await rig.edit(Endpoint, row.id, rows_max=3) == 3
    await node.refresher.look()
    assert node.revision == 6
    assert await rig.parts.upkeep.look()
    assert rig.saw("revision_gap", verified_head=6, revision=7, postgres_head=3)
    await rig.parts.activation.run()
    await node.refresher.look()
    assert node.revision == 7
    assert await rig.edit(Endpoint, row.id, rows_max=4) == 8
    await node.close()


async def test_a_restored_postgres_believes_signed_reports_only(
    rig: Rig, store_urls: StoreUrls, redis_url: str, tmp_path: Path
) -> None:
    connection = rig.connection()
    await rig.add(connection)
    for number in range(3):
        await rig.edit(Connection, connection.id, pool_max=20 + number)
    await rig.parts.activation.run()
    node = await Node(redis_url, rig.keys, tmp_path / "node").boot()
    assert node.revision == 4
    await forget_after(store_urls.superuser, 2)
    await rig.redis.flushdb()
    liar = NodeReport(
        node="liar",
        version="1",
        formats=(1,),
        revision=10**9,
        highest_seen=10**9,
        state=NodeState.SERVING,
        last_error=None,
        since=0,
        reported_at=time.time(),
        beacon_issued_at=None,
        wanted=("spec:" + "0" * 64, "delta:99999", "checkpoint:1e9", "nonsense", "delta:"),
        beacon=b"junk",
    )
    await put_report(rig.redis, liar)
    await rig.parts.upkeep.look()
    assert await rig.publishing.head() == 2
    assert not rig.saw("revision_gap")
    await put_report(rig.redis, node.reporting.report())
    await rig.parts.upkeep.look()
    assert rig.saw("revision_gap", verified_head=4, revision=5)
    await node.close()


async def test_a_beacon_can_not_use_up_all_numbers(rig: Rig, redis_url: str, tmp_path: Path) -> None:
    """Signed by a key that is believed, an old one in the middle of a rotation for instance."""
    connection = rig.connection()
    await rig.add(connection)
    await rig.parts.activation.run()
    forged = Beacon(gateway_id=GATEWAY, head=REVISION_MAX, issued_at=time.time())
    await BundleWriter(rig.redis).put_beacon(seal_beacon(rig.signer, forged))
    await rig.redis.set(keys.HEAD, REVISION_MAX)
    await rig.parts.upkeep.look()
    assert not rig.saw("revision_gap")
    assert rig.saw("head_forged", found=str(REVISION_MAX), revision=1)
    assert await rig.edit(Connection, connection.id, pool_max=21) == 2
    await rig.parts.activation.run()
    assert await serves(rig, redis_url, tmp_path) == 2


async def test_garbage_goes_and_what_is_kept_still_leads_everywhere(
    rig: Rig, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CHECKPOINT_EVERY_REVISIONS", 2)
    connection = rig.connection()
    row = endpoint(connection)
    await rig.add(connection, row)
    for number in range(59):
        await rig.edit(Endpoint, row.id, rows_max=10 + number)
        if number % 10 == 0:
            await rig.parts.activation.run()
    await rig.parts.activation.run()
    before = await rig.redis.dbsize()
    await rig.parts.upkeep.sweep()
    assert await rig.redis.dbsize() == before, "nothing is old enough"
    monkeypatch.setattr(rig.parts.upkeep, "_now", lambda: time.time() + 2 * 86_400)
    await rig.parts.upkeep.sweep()
    assert rig.saw("garbage_removed")
    async with rig.session() as session:
        marks = await ledger.checkpoint_marks(session)
    assert [mark.revision for mark in marks] == list(range(60, 20, -2))
    assert await rig.redis.exists(keys.delta(22)) == 0
    assert await rig.redis.exists(keys.delta(23)) == 1
    # connection + 38 specs since checkpoint 22 + its own one of the endpoint
    specs = [key async for key in rig.redis.scan_iter(match="qg:spec:*")]
    assert len(specs) == 40
    assert await rig.redis.zcard(keys.SPEC_TIMES) == 40
    assert await serves(rig, redis_url, tmp_path) == 60
    await rig.parts.upkeep.sweep()
    assert sum(event.event == "garbage_removed" for event in rig.events) == 1


async def test_an_evicting_redis_is_told(rig: Rig) -> None:
    await rig.add(rig.connection())
    await rig.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        await rig.parts.upkeep.sweep()
    finally:
        await rig.redis.config_set("maxmemory-policy", "noeviction")
    assert rig.saw("redis_evicts", policy="allkeys-lru")


async def test_beacons_come_from_postgres_alone(rig: Rig) -> None:
    assert await rig.parts.beacons.beat() == 0
    assert await rig.redis.get(keys.BEACON) is None
    await rig.add(rig.connection())
    assert await rig.parts.beacons.beat() == 1
    assert await rig.redis.get(keys.BEACON) is not None


async def test_reports_that_nobody_can_read_are_left_out(rig: Rig) -> None:
    await rig.redis.zadd(keys.NODES, {"bad name!": 1, "gone": 2, "junk": 3, "huge": 4, "other": 5})
    await rig.redis.set(keys.node("junk"), b"{")
    await rig.redis.set(keys.node("huge"), b"x" * 1_000_000)
    await rig.redis.set(keys.node("other"), b'{"node":"else"}')
    assert await read_reports(rig.redis) == []
    await rig.redis.set("big", "")
    await rig.redis.setrange("big", 50_000_000, b"x")
    copy = "redis.call('ZADD', KEYS[2], 9, redis.call('GET', KEYS[1]))"
    for key in (keys.NODES, keys.SPEC_TIMES, keys.DELTA_REVISIONS, keys.CHECKPOINT_REVISIONS):
        await rig.redis.execute_command("EVAL", copy, 2, "big", key)  # type: ignore[no-untyped-call]  # untyped
    before = int((await rig.redis.info("stats"))["total_net_output_bytes"])
    assert await read_reports(rig.redis) == []
    await rig.add(rig.connection())
    await rig.parts.activation.run()
    await rig.parts.upkeep.sweep()
    assert int((await rig.redis.info("stats"))["total_net_output_bytes"]) - before < 1_000_000
    await rig.redis.delete(keys.NODES)
    await rig.redis.set(keys.NODES, "another type")
    assert await read_reports(rig.redis) == []


async def test_after_a_rotation_the_new_keys_are_enough(
    rig: Rig, store_urls: StoreUrls, redis_url: str, tmp_path: Path
) -> None:
    connection, method = rig.connection(), rig.api_key_method()
    await rig.add(connection, method, rig.credential(method), endpoint(connection, method))
    await rig.parts.activation.run()
    signing, verify = generate_signing_key()
    fresh = msgspec.structs.replace(rig.keys, signing=signing, verify=verify, seal=new_fernet_key())
    rotated = Rig(store_urls.app, redis_url, fresh, also_verify=[rig.keys.verify])
    await rotated.parts.upkeep.sweep()
    await rotated.parts.activation.run()
    assert await rotated.publishing.head() == 3, "sealed anew, then signed anew"
    await rotated.parts.upkeep.sweep()
    assert await rotated.publishing.head() == 3
    # A control plane and a node that have never heard of the old keys.
    only = Rig(store_urls.app, redis_url, fresh)
    await only.redis.flushdb()
    await only.parts.activation.run(redis_head=0)
    await only.parts.upkeep.sweep()
    node = await Node(redis_url, fresh, tmp_path / "new").boot()
    assert node.revision == 3
    assert node.refresher.current is not None
    assert node.refresher.current.unusable == ()
    for one in (rotated, only):
        await one.close()
    await node.close()
