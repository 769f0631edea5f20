"""Beginning and end of a worker that never had a server: what goes wrong there ends the process, and whole."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qg_devstack.servers.ports import free_port
from qg_telemetry.events import Event, Level, UnforeseenError
from qg_telemetry.log import Log
from qg_telemetry.metrics import Metrics
from qg_telemetry.observer import Observer
from qg_telemetry.sink import LineSink
from tests.unit.worker.test_worker_settings import GOOD
from worker import app
from worker.app import Worker
from worker.settings import settings_from


@pytest.fixture
async def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    found: list[Event] = []
    monkeypatch.setattr(Log, "write", lambda _log, event: found.append(event))
    return found


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    sink = LineSink()
    sink.attach(asyncio.get_running_loop())
    settings = settings_from({**GOOD, "STATE_DIR": str(tmp_path), "OPS_PORT": str(free_port())})
    yield Worker(settings, Observer(Log("worker", Level.INFO, sink), Metrics()))
    sink.close()


def unforeseen(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.where, event.error) for event in events if isinstance(event, UnforeseenError)]


async def test_a_worker_that_cant_begin_ends(
    worker: Worker, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(worker.heartbeat, "start", start)
    worker.watch.fit.set()
    outcome = await asyncio.wait_for(worker.run(), 20)
    assert outcome.reason == "stopped"
    assert unforeseen(events) == [("worker.begin", "RuntimeError")]


async def test_a_part_that_cant_be_closed_keeps_no_other_one_open(
    worker: Worker, events: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "PART_CLOSE_S", 0.05)
    worker.watch.start()

    async def broken() -> None:
        raise ValueError("?")

    monkeypatch.setattr(worker.planning, "close", broken)
    monkeypatch.setattr(worker.reconcile, "close", asyncio.Event().wait)
    assert list((tmp_path / "spool").iterdir())
    await asyncio.wait_for(worker._close(), 10)
    assert unforeseen(events) == [("worker.close.planning", "ValueError"), ("worker.close.reconcile", "TimeoutError")]
    assert not list((tmp_path / "spool").iterdir())
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("loop:")]
