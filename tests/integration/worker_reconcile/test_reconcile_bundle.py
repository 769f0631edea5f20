"""The bundle without a control plane: what was committed is activated, what Redis lost comes back."""

from pathlib import Path

import asyncpg
import pytest

from qg_activation.fault_points import FaultPoint
from qg_bundle import keys
from qg_bundle.node_reports import put_report
from qg_core.nodes import NodeReport
from qg_store.models import Connection, Endpoint
from qg_store.repositories import publishing as ledger
from tests.fixtures.store import StoreUrls
from tests.integration.publishing.killed_edit import killed_edit
from tests.integration.publishing.rig import Rig, endpoint
from tests.integration.refresh.nodes import Node, served_afresh
from tests.integration.worker_reconcile.backstop import Backstop
from tests.integration.worker_reconcile.conftest import MakeBackstop
from tests.support.waiting import until
from worker.reconcile import Pace


async def published(rig: Rig) -> Endpoint:
    """An endpoint that is activated as revision 1."""
    connection = rig.connection()
    row = endpoint(connection)
    await rig.add(connection, row)
    await rig.parts.activation.run()
    return row


@pytest.mark.fault
@pytest.mark.parametrize(
    "point",
    [
        FaultPoint.AFTER_COMMIT,
        pytest.param(FaultPoint.AFTER_DELTAS, marks=pytest.mark.long),
        pytest.param(FaultPoint.AFTER_HEAD, marks=pytest.mark.long),
    ],
)
async def test_what_a_killed_control_plane_committed_is_activated(
    rig: Rig, backstop: Backstop, store_urls: StoreUrls, redis_url: str, tmp_path: Path, point: FaultPoint
) -> None:
    row = await published(rig)
    await killed_edit(rig, store_urls.app, redis_url, point, row.id)
    async with rig.session() as session:
        assert await ledger.heads(session) == ledger.Heads(head=2, activated=1)
    backstop.reconcile.start()
    await until(lambda: backstop.saw("revision_activated", revision=2, from_revision=1))
    async with rig.session() as session:
        assert await ledger.heads(session) == ledger.Heads(head=2, activated=2)
    assert await served_afresh(rig.keys, redis_url, tmp_path) == 2


async def test_a_control_plane_that_is_well_is_first(rig: Rig, make_backstop: MakeBackstop) -> None:
    backstop = make_backstop(pace=Pace(every_s=0.02, chance_s=1.0))
    connection = rig.connection()
    await rig.add(connection)
    await rig.parts.activation.run()
    rig.parts.activator.start()
    backstop.reconcile.start()
    for revision in range(2, 12):
        assert await rig.edit(Connection, connection.id, pool_max=20 + revision) == revision
        await until(lambda wanted=revision: rig.saw("revision_activated", revision=wanted))
    assert not backstop.saw("revision_activated")
    assert not backstop.saw("bundle_repaired")


async def test_after_a_flush_everything_is_back_within_15_s(
    rig: Rig, make_backstop: MakeBackstop, redis_url: str, tmp_path: Path
) -> None:
    row = await published(rig)
    await rig.edit(Endpoint, row.id, rows_max=77)
    await rig.parts.activation.run()
    backstop = make_backstop(pace=Pace())
    stored = await backstop.store(row.id, 1_500_000)
    assert len(stored.pieces) >= 6
    await backstop.copy(stored)
    before = await backstop.contents()
    node = await Node(redis_url, rig.keys, tmp_path / "node").boot(follow=True)
    backstop.reconcile.start()
    await backstop.redis.flushall()
    listed = {keys.NODES, keys.node("node-1")}

    async def is_back() -> bool:
        now = await backstop.contents()
        return {name: held for name, held in now.items() if name not in listed} == before

    assert await until(is_back) < 15.0
    assert await backstop.redis.get(keys.BEACON) is None, "only a control plane can sign one"
    assert await backstop.is_whole(stored)
    assert node.revision == 2
    assert await served_afresh(rig.keys, redis_url, tmp_path / "fresh") == 2
    await node.close()


async def test_a_flush_with_a_publish_right_after_it_leaves_no_hole(
    rig: Rig, backstop: Backstop, redis_url: str, tmp_path: Path
) -> None:
    row = await published(rig)
    await rig.redis.flushall()
    await rig.edit(Endpoint, row.id, rows_max=5)
    await rig.parts.activation.run()
    assert await rig.redis.get(keys.HEAD) == b"2", "the head alone shows nothing"
    await backstop.reconcile.run_once()
    assert backstop.saw("bundle_repaired", reason="newest_lost")
    node = await Node(redis_url, rig.keys, tmp_path).boot()
    assert node.revision == 2
    assert node.refresher.current is not None
    assert node.refresher.current.unusable == ()
    await node.close()


async def test_nothing_is_amiss_after_the_first_activation(rig: Rig, backstop: Backstop) -> None:
    await published(rig)
    before = await backstop.contents()
    await backstop.reconcile.run_once()
    assert not await rig.parts.upkeep.look()
    assert await backstop.contents() == before
    assert not backstop.saw("bundle_repaired")
    assert not rig.saw("bundle_repaired")


async def test_a_head_that_was_moved_is_set_right(rig: Rig, backstop: Backstop) -> None:
    row = await published(rig)
    await rig.edit(Endpoint, row.id, rows_max=5)
    await rig.parts.activation.run()
    await rig.redis.set(keys.HEAD, 1)
    await backstop.reconcile.run_once()
    assert await rig.redis.get(keys.HEAD) == b"2"
    assert backstop.saw("bundle_repaired", reason="head_moved_back")
    await rig.redis.set(keys.HEAD, 9_999)
    await backstop.reconcile.run_once()
    assert await rig.redis.get(keys.HEAD) == b"2"
    assert backstop.saw("head_forged", found="9999", revision=2)


async def test_what_has_to_be_signed_for_is_left_to_a_control_plane(
    rig: Rig, backstop: Backstop, store_urls: StoreUrls
) -> None:
    await backstop.reconcile.run_once()
    assert await rig.redis.get(keys.HEAD) is None, "nothing was ever published"
    connection = rig.connection()
    await rig.add(connection)
    for number in range(3):
        await rig.edit(Connection, connection.id, pool_max=20 + number)
    await rig.parts.activation.run()
    before = await backstop.contents()
    restored = await asyncpg.connect(store_urls.superuser)
    try:
        for table in ("revision_changes", "checkpoints", "revisions"):
            await restored.execute(f"DELETE FROM {table} WHERE revision > 2")
        await restored.execute("UPDATE publish_state SET activated = 2, head = 2")
    finally:
        await restored.close()
    await backstop.reconcile.run_once()
    assert await backstop.contents() == before, "revision 4 is signed for"
    assert await rig.parts.upkeep.look()
    assert rig.saw("revision_gap", verified_head=4, revision=5)


async def test_parts_that_nodes_want_are_put_again(
    rig: Rig, backstop: Backstop, redis_url: str, tmp_path: Path
) -> None:
    await published(rig)
    (spec,) = [key async for key in rig.redis.scan_iter(match="qg:spec:*")][:1]
    true_bytes = await rig.redis.get(spec)
    await rig.redis.set(spec, b"x" * len(true_bytes))
    node = await Node(redis_url, rig.keys, tmp_path).boot()
    report: NodeReport = node.reporting.report()
    assert report.wanted
    await put_report(rig.redis, report)
    await backstop.reconcile.run_once()
    assert await rig.redis.get(spec) == true_bytes
    assert backstop.saw("bundle_repaired", reason="wanted_by_node")
    await node.close()
