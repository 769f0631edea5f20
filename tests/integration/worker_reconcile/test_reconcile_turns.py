"""Several workers reconcile: one at a time, and none that hangs or fails keeps the others from it."""

import asyncio

import pytest
from sqlalchemy import text

from qg_bundle import keys
from tests.integration.publishing.rig import Rig, endpoint
from tests.integration.worker_reconcile.conftest import MakeBackstop
from tests.support.waiting import until
from worker.reconcile import turn as turns
from worker.reconcile.turn import turn


async def test_one_at_a_time(make_backstop: MakeBackstop) -> None:
    one, other = make_backstop(), make_backstop()
    async with turn(one.sessions) as first:
        assert first
        async with turn(other.sessions) as second:
            assert not second
    async with turn(other.sessions) as second:
        assert second


async def test_a_long_turn_is_kept(make_backstop: MakeBackstop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "HOLDER_SILENT_MAX_S", 1)
    monkeypatch.setattr(turns, "SIGN_OF_LIFE_EVERY_S", 0.2)
    one, other = make_backstop(), make_backstop()
    async with turn(one.sessions):
        # Longer than Postgres lets a silent holder go on.
        await asyncio.sleep(1.5)
        async with turn(other.sessions) as second:
            assert not second


@pytest.mark.fault
async def test_a_worker_that_hangs_loses_its_turn(make_backstop: MakeBackstop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "HOLDER_SILENT_MAX_S", 1)
    monkeypatch.setattr(turns, "SIGN_OF_LIFE_EVERY_S", 60.0)
    one, other = make_backstop(), make_backstop()

    async def is_free() -> bool:
        async with turn(other.sessions) as ours:
            return ours

    async with turn(one.sessions):
        assert await until(is_free) > 0.5
    async with turn(one.sessions) as again:
        assert again, "the lost session does no harm"


async def test_two_at_once_repair_it_once(rig: Rig, make_backstop: MakeBackstop) -> None:
    connection = rig.connection()
    rows = [endpoint(connection, path=f"e{number}") for number in range(4)]
    await rig.add(connection, *rows)
    await rig.parts.activation.run()
    both = [make_backstop(), make_backstop()]
    stored = [await both[0].store(row.id, 300_000) for row in rows]
    for one in stored:
        await both[0].copy(one)
    await both[0].reconcile.run_once()
    before = await both[0].contents()
    for worker in both:
        worker.reconcile.start()
    for _ in range(3):
        await rig.redis.flushall()

        async def is_back() -> bool:
            return await both[0].contents() == before

        await until(is_back)
    assert not any(one.saw("unforeseen_error") or one.saw("loop_failed") for one in both)
    heads = [event for one in both for event in one.events if getattr(event, "reason", "") == "head_lost"]
    assert len(heads) == 3


async def test_a_part_that_fails_holds_up_no_other(rig: Rig, make_backstop: MakeBackstop) -> None:
    backstop = make_backstop()
    connection = rig.connection()
    row = endpoint(connection)
    await rig.add(connection, row)
    stored = await backstop.store(row.id)
    async with backstop.sessions() as session:
        assert (await session.execute(text("SELECT count(*) FROM snapshots"))).scalar_one() == 1
    await backstop.redis.set(keys.SPEC_TIMES, "no sorted set")
    backstop.reconcile.start()
    await until(lambda: backstop.saw("loop_failed", loop="reconcile"))

    async def is_whole() -> bool:
        return await backstop.is_whole(stored)

    await until(is_whole)
    assert not backstop.saw("loop_recovered")
    await backstop.redis.delete(keys.SPEC_TIMES)
    await until(lambda: backstop.saw("loop_recovered", loop="reconcile"))
