"""A loop that goes on, whatever its step does."""

import asyncio
import contextlib

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from qg_telemetry.events import Event, LoopFailed, LoopRecovered, UnforeseenError
from tests.support.waiting import until
from worker import supervised
from worker.supervised import StepFailed, Supervised


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "RETRY_MIN_S", 0.001)
    monkeypatch.setattr(supervised, "RETRY_MAX_S", 0.002)


class Steps:
    """Steps that do what they are told, one after another, then nothing."""

    def __init__(self, *outcomes: BaseException) -> None:
        self.outcomes = list(outcomes)
        self.taken = 0

    async def __call__(self) -> None:
        self.taken += 1
        if self.outcomes:
            raise self.outcomes.pop(0)


async def test_failures_are_reported_and_survived() -> None:
    events: list[Event] = []
    steps = Steps(RedisConnectionError("away"), StepFailed("not migrated"), ValueError("?"), asyncio.CancelledError())
    loop = Supervised("x", steps, every_s=0.001, timeout_s=1, observe=events.append)
    loop.start()
    await until(lambda: steps.taken >= 7)
    await loop.close()
    assert [type(event) for event in events] == [
        LoopFailed,
        LoopFailed,
        UnforeseenError,
        UnforeseenError,
        LoopRecovered,
    ]
    assert isinstance(events[1], LoopFailed)
    assert events[1].detail == "not migrated"
    assert isinstance(events[4], LoopRecovered)
    assert events[4].failures == 4


async def test_a_step_that_hangs_is_given_up() -> None:
    events: list[Event] = []
    hung = asyncio.Event()

    async def step() -> None:
        if not hung.is_set():
            hung.set()
            await asyncio.sleep(60)

    loop = Supervised("x", step, every_s=60, timeout_s=0.01, observe=events.append)
    loop.start()
    await until(lambda: len(events) == 2)
    await loop.close()
    assert [event.event for event in events] == ["loop_failed", "loop_recovered"]


async def test_a_wake_up_is_not_lost_while_a_step_runs() -> None:
    gate, taken = asyncio.Event(), 0

    async def step() -> None:
        nonlocal taken
        taken += 1
        await gate.wait()

    loop = Supervised("x", step, every_s=60, timeout_s=None, observe=lambda _: None)
    loop.start()
    await until(lambda: taken == 1)
    loop.wake()
    gate.set()
    await until(lambda: taken == 2)
    await loop.close()


async def test_close_ends_it_in_the_middle_of_a_step() -> None:
    loop = Supervised("x", lambda: asyncio.sleep(60), every_s=60, timeout_s=None, observe=lambda _: None)
    loop.start()
    await asyncio.sleep(0)
    await asyncio.wait_for(loop.close(), 5)


async def test_whoever_cancels_its_task_ends_it() -> None:
    started = asyncio.Event()

    async def step() -> None:
        started.set()
        await asyncio.sleep(60)

    events: list[Event] = []
    loop = Supervised("x", step, every_s=60, timeout_s=None, observe=events.append)
    loop.start()
    await started.wait()
    (task,) = [one for one in asyncio.all_tasks() if one.get_name() == "loop:x"]
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert events == []


async def test_a_step_that_swallows_the_cancellation_does_not_keep_the_loop() -> None:
    started, steps = asyncio.Event(), 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    loop = Supervised("x", step, every_s=0, timeout_s=None, observe=lambda _: None)
    loop.start()
    await started.wait()
    await asyncio.wait_for(loop.close(), 5)
    assert steps == 1


async def test_what_was_given_up_leaves_no_cancellation_behind() -> None:
    taken = 0

    async def step() -> None:
        nonlocal taken
        taken += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)
        await asyncio.sleep(60 if taken % 2 else 0)

    loop = Supervised("x", step, every_s=0.001, timeout_s=0.01, observe=lambda _: None)
    loop.start()
    await until(lambda: taken >= 5)
    await loop.close()
