"""Copies of snapshots: lost, altered, forged, wanted, too many; and rows that nobody needs any more."""

import time
import uuid

import pytest
from sqlalchemy import text

from qg_bundle import keys
from qg_bundle.node_reports import put_report
from qg_core.nodes import NodeReport, NodeState
from qg_core.snapshots import ZSTD
from qg_security.sealing import new_fernet_key
from qg_security.tags import SNAPSHOT_CONTEXT, TagKeys
from qg_store.repositories import snapshots as store
from tests.integration.publishing.rig import Rig, endpoint
from tests.integration.worker_reconcile.backstop import Backstop
from tests.integration.worker_reconcile.conftest import MakeBackstop
from tests.support.waiting import until
from worker.reconcile import copies
from worker.reconcile.faults import Fault

LARGE_BYTES = 1_200_000
"""Of random text: three pieces or more in each encoding."""


async def with_endpoints(rig: Rig, count: int) -> list[str]:
    """The ids of so many endpoints, published and activated, in order."""
    connection = rig.connection()
    rows = [endpoint(connection, path=f"e{number}") for number in range(count)]
    await rig.add(connection, *rows)
    await rig.parts.activation.run()
    return sorted(row.id for row in rows)


def report_of(*wanted: str) -> NodeReport:
    return NodeReport(
        node="node-1",
        version="1",
        formats=(1,),
        revision=1,
        highest_seen=1,
        state=NodeState.SERVING,
        last_error=None,
        since=0,
        reported_at=time.time(),
        beacon_issued_at=None,
        wanted=wanted,
    )


async def test_a_lost_copy_comes_back_in_the_second_pass(rig: Rig, backstop: Backstop) -> None:
    one, other = await with_endpoints(rig, 2)
    kept, lost = await backstop.store(one), await backstop.store(other, LARGE_BYTES)
    await backstop.copy(kept)
    await backstop.reconcile.run_once()
    assert not await backstop.is_whole(lost), "its job run may just be copying it"
    await backstop.reconcile.run_once()
    assert await backstop.is_whole(lost)
    assert backstop.repaired == [("lost", 1)]
    newer = await backstop.store(other)
    await backstop.reconcile.run_once()
    await backstop.reconcile.run_once()
    assert await backstop.is_whole(newer)
    await backstop.reconcile.run_once()
    assert backstop.repaired == [("lost", 1)] * 2
    assert await backstop.is_whole(kept)


async def test_an_empty_redis_is_filled_in_the_first_pass(rig: Rig, backstop: Backstop) -> None:
    stored = [await backstop.store(endpoint_id) for endpoint_id in await with_endpoints(rig, 5)]
    await backstop.reconcile.run_once()
    for one in stored:
        assert await backstop.is_whole(one)
    assert backstop.repaired == [("lost", 5)]


@pytest.mark.parametrize("what", ["header", "shorter piece", "no piece", "number"])
async def test_an_altered_copy_is_put_over(rig: Rig, backstop: Backstop, what: str) -> None:
    (endpoint_id,) = await with_endpoints(rig, 1)
    stored = await backstop.store(endpoint_id, LARGE_BYTES)
    await backstop.copy(stored)
    piece = keys.snapshot_piece(stored.header.snapshot_id, ZSTD, 1)
    if what == "header":
        await backstop.redis.set(keys.snapshot(endpoint_id), stored.sealed[:-1] + bytes([stored.sealed[-1] ^ 1]))
    if what == "shorter piece":
        await backstop.redis.set(piece, b"short")
    if what == "no piece":
        await backstop.redis.delete(piece)
    if what == "number":
        await backstop.redis.zadd(keys.SNAPSHOT_NUMBERS, {endpoint_id: stored.header.number + 1_000})
    assert not await backstop.is_whole(stored)
    await backstop.reconcile.run_once()
    assert await backstop.is_whole(stored)
    assert backstop.repaired == [("forged" if what == "number" else "altered", 1)]


async def test_what_a_node_could_not_verify_is_put_over_once(
    rig: Rig, backstop: Backstop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await with_endpoints(rig, 2)
    stored, whole = await backstop.store(one, LARGE_BYTES), await backstop.store(other)
    await backstop.copy(stored)
    await backstop.copy(whole)
    piece = keys.snapshot_piece(stored.header.snapshot_id, ZSTD, 2)
    await backstop.redis.set(piece, bytes(len(await backstop.redis.get(piece))))
    await backstop.reconcile.run_once()
    assert not await backstop.is_whole(stored), "neither number nor size tells"
    version = await backstop.reader.version()
    nonsense = ("snapshot:", f"snapshot:{uuid.uuid4()}", "snapshot:../../etc", "snapshots")
    await put_report(backstop.redis, report_of(f"snapshot:{one}", *nonsense))
    await backstop.reconcile.run_once()
    assert await backstop.is_whole(stored)
    assert await backstop.reader.version() != version, "nodes look again"
    await backstop.reconcile.run_once()
    assert backstop.repaired == [("wanted_by_node", 1)], "the report still stands there, the copy was just put"
    monkeypatch.setattr(copies, "WANTED_AGAIN_AFTER_S", 0.0)
    await backstop.reconcile.run_once()
    assert backstop.repaired == [("wanted_by_node", 1)] * 2


async def test_a_newer_copy_is_never_taken_back(rig: Rig, backstop: Backstop) -> None:
    (endpoint_id,) = await with_endpoints(rig, 1)
    older = await backstop.store(endpoint_id)
    async with backstop.sessions() as session:
        (mark,) = await store.newest_of_all(session)
    newer = await backstop.store(endpoint_id)
    await backstop.copy(newer)
    # Read before the newer one was committed, put after it was copied.
    repair = backstop.reconcile._copies
    for fault in (Fault.LOST, Fault.ALTERED, Fault.WANTED_BY_NODE):
        assert not await repair._put(mark, fault)
    assert await backstop.is_whole(newer)
    assert not await backstop.is_whole(older)


async def test_copies_of_endpoints_that_are_gone_are_removed(rig: Rig, backstop: Backstop) -> None:
    one, other = await with_endpoints(rig, 2)
    stored, orphan = await backstop.store(one), await backstop.store(other)
    for each in (stored, orphan):
        await backstop.copy(each)
    stray = await backstop.store(str(uuid.uuid4()))
    async with backstop.sessions() as session:
        # As the control plane does when it deletes the endpoint.
        await store.delete_of(session, other)
        await session.commit()
    await backstop.reconcile.run_once()
    assert await backstop.redis.get(keys.snapshot(other)) is None
    assert await backstop.reader.numbers() == {one: stored.header.number}
    assert backstop.repaired == [("endpoint_gone", 1)]
    async with backstop.sessions() as session:
        kept = {mark.endpoint_id for mark in await store.newest_of_all(session)}
    assert kept == {one}, "no such endpoint is published"
    assert stray.header.endpoint_id not in kept
    assert backstop.saw("old_rows_pruned", snapshots=1, job_runs=0)


async def test_copies_stay_below_their_share_of_redis(rig: Rig, make_backstop: MakeBackstop) -> None:
    first, second, third = await with_endpoints(rig, 3)
    backstop = make_backstop(snapshots_redis_bytes_max=9_000)
    stored = [await backstop.store(endpoint_id, 2_000) for endpoint_id in (first, second, third)]
    assert 2 * stored[0].header.stored_bytes < 9_000 < 3 * stored[0].header.stored_bytes
    for _ in range(3):
        await backstop.reconcile.run_once()
    assert [await backstop.is_whole(one) for one in stored] == [True, True, False]
    held = [event for event in backstop.events if event.event == "snapshots_held_back"]
    assert len(held) == 1, "said once"
    assert backstop.saw("snapshots_held_back", endpoint_ids=(third,), total=1)


async def test_a_snapshot_of_a_key_that_is_gone_is_told_and_holds_up_nothing(rig: Rig, backstop: Backstop) -> None:
    one, other = await with_endpoints(rig, 2)
    own = backstop.tags
    backstop.tags = TagKeys([new_fernet_key()], SNAPSHOT_CONTEXT)
    await backstop.store(one)
    backstop.tags = own
    usable = await backstop.store(other)
    for _ in range(3):
        await backstop.reconcile.run_once()
    assert await backstop.is_whole(usable)
    assert await backstop.reader.numbers() == {other: usable.header.number}
    unusable = [event for event in backstop.events if event.event == "snapshots_unusable"]
    assert len(unusable) == 1, "said once"
    assert not backstop.saw("unforeseen_error")


@pytest.mark.parametrize("what", ["other pieces", "a replayed header"])
async def test_rows_that_a_stolen_role_wrote_hold_up_nothing(rig: Rig, backstop: Backstop, what: str) -> None:
    one, other = await with_endpoints(rig, 2)
    usable = await backstop.store(one)
    altered = await backstop.store(other)  # the younger one, which is put first
    statements = {
        "other pieces": (
            "DELETE FROM snapshot_pieces WHERE snapshot_id = :id",
            "INSERT INTO snapshot_pieces SELECT :id, unnest(ARRAY['zstd', 'gzip']), 0, 'x'",
        ),
        "a replayed header": (
            (
                "INSERT INTO snapshots (id, number, endpoint_id, job_run_id, producer, header, row_count, truncated,"
                " bytes, stored_bytes) SELECT gen_random_uuid(), number + 1000, endpoint_id, gen_random_uuid(),"
                " producer, header, row_count, truncated, bytes, stored_bytes FROM snapshots WHERE id = :id"
            ),
        ),
    }
    async with backstop.sessions() as session:
        for statement in statements[what]:
            await session.execute(text(statement), {"id": altered.header.snapshot_id})
        await session.commit()
    for _ in range(3):
        await backstop.reconcile.run_once()
    assert await backstop.is_whole(usable)
    assert await backstop.reader.numbers() == {one: usable.header.number}
    assert len([event for event in backstop.events if event.event == "snapshots_unusable"]) == 1, "said once"


async def test_more_copies_than_a_pass_compares_come_in_turn(
    rig: Rig, backstop: Backstop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.reconcile.faults.COMPARED_PER_PASS_MAX", 2)
    stored = [await backstop.store(endpoint_id) for endpoint_id in await with_endpoints(rig, 5)]
    for one in stored:
        await backstop.copy(one)
        await backstop.redis.set(keys.snapshot(one.header.endpoint_id), b"x" * len(one.sealed))
    whole = []
    for _ in range(3):
        await backstop.reconcile.run_once()
        whole.append(sum([await backstop.is_whole(one) for one in stored]))
    assert whole == [2, 4, 5]


async def test_a_pass_that_runs_out_of_time_is_followed_at_once(
    rig: Rig, backstop: Backstop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [await backstop.store(endpoint_id) for endpoint_id in await with_endpoints(rig, 4)]
    monkeypatch.setattr(copies, "PASS_BUDGET_S", 0.0)
    assert await backstop.reconcile._copies.run(), "nothing was put"
    monkeypatch.setattr(copies, "PASS_BUDGET_S", 20.0)
    assert not await backstop.reconcile._copies.run()
    assert all([await backstop.is_whole(one) for one in stored])


async def test_job_runs_go_after_their_time(rig: Rig, backstop: Backstop) -> None:
    (endpoint_id,) = await with_endpoints(rig, 1)
    runs = {days: str(uuid.uuid4()) for days in (1, 29, 31, 400)}
    insert = text(
        "INSERT INTO job_runs (id, endpoint_id, planned_at, reason, status, finished_at)"
        " VALUES (:id, :endpoint, now() - make_interval(days => :days), 'manual', 'success',"
        " now() - make_interval(days => :days))"
    )
    async with backstop.sessions() as session:
        for days, run_id in runs.items():
            await session.execute(insert, {"id": run_id, "endpoint": endpoint_id, "days": days})
        await session.commit()
    backstop.reconcile.start()
    await until(lambda: backstop.saw("old_rows_pruned", job_runs=2))
    async with backstop.sessions() as session:
        left = (await session.execute(text("SELECT id FROM job_runs"))).scalars()
        assert {str(run_id) for run_id in left} == {runs[1], runs[29]}
