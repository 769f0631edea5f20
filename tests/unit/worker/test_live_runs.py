"""Leases as a worker may believe in them, by its own clocks."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from qg_core.job_runs import LEASE_S
from qg_store.repositories.job_runs import ClaimedRun
from worker.runs.live import LOST, STOPPING, UNCONFIRMED, Interrupted, LiveRun, LiveRuns, Moment

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLAIMED = ClaimedRun("r", "s", "e", NOW, "schedule", 1, 7, 1, NOW, NOW)


def ago(monotonic_s: float, wall_s: float) -> Moment:
    return Moment(time.monotonic() - monotonic_s, time.time() - wall_s)


@pytest.mark.parametrize(
    ("monotonic_s", "wall_s", "held"),
    [(0, 0, True), (LEASE_S - 1, 0, True), (LEASE_S, 0, False), (0, LEASE_S, False), (LEASE_S, -100, False)],
)
async def test_a_lease_lasts_as_long_as_both_clocks_say(monotonic_s: float, wall_s: float, held: bool) -> None:
    run = LiveRun(CLAIMED, ago(monotonic_s, wall_s))
    assert run.held == held
    if held:
        run.check()
    else:
        with pytest.raises(Interrupted) as caught:
            run.check()
        assert caught.value.reason == UNCONFIRMED
        # A beat that comes through later brings nothing back: somebody else may be at work already.
        run.confirm(Moment.now())
        with pytest.raises(Interrupted):
            run.check()


async def test_a_confirmed_lease_begins_anew() -> None:
    run = LiveRun(CLAIMED, ago(LEASE_S - 1, LEASE_S - 1))
    run.confirm(Moment.now())
    assert run.held
    run.interrupt_unless_held()
    run.check()


async def test_an_interrupted_run_stops_what_it_waits_for() -> None:
    run = LiveRun(CLAIMED, Moment.now())
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    asyncio.get_running_loop().call_later(0.01, run.interrupt, LOST)
    with pytest.raises(Interrupted, match=LOST):
        await run.unless_interrupted(work())
    assert cleaned.is_set()
    assert run.cancel.reason == LOST
    with pytest.raises(Interrupted, match=LOST):
        run.check_lease()


async def test_work_that_was_done_counts_although_interrupted() -> None:
    run = LiveRun(CLAIMED, Moment.now())

    async def work() -> int:
        run.interrupt(LOST)
        return 5

    assert await run.unless_interrupted(work()) == 5


async def test_errors_of_the_work_come_through() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await LiveRun(CLAIMED, Moment.now()).unless_interrupted(work())


async def test_a_run_that_is_handed_back_may_still_write_that() -> None:
    run = LiveRun(CLAIMED, Moment.now())
    run.interrupt(STOPPING)
    run.check_lease()
    with pytest.raises(Interrupted, match=STOPPING):
        run.check()


async def test_runs_are_known_by_claim() -> None:
    runs, run = LiveRuns(), LiveRun(CLAIMED, Moment.now())
    runs.add(run)
    assert run.key in runs
    assert len(runs) == 1
    runs.remove(run)
    runs.remove(run)
    assert run.key not in runs
