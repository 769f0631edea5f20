"""The end of a worker that never had a server: one part that can't be closed keeps no other one open."""

import asyncio
from pathlib import Path

import pytest

from qg_telemetry.events import Event, Level, UnforeseenError
from qg_telemetry.log import Log
from qg_telemetry.metrics import Metrics
from qg_telemetry.observer import Observer
from qg_telemetry.sink import LineSink
from tests.unit.worker.test_worker_settings import GOOD
from worker import app
from worker.app import Worker
from worker.settings import settings_from


async def test_a_part_that_cant_be_closed_keeps_no_other_one_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "PART_CLOSE_S", 0.05)
    sink = LineSink()
    sink.attach(asyncio.get_running_loop())
    observe = Observer(Log("worker", Level.INFO, sink), Metrics())
    events: list[Event] = []
    monkeypatch.setattr(observe.log, "write", events.append)
    worker = Worker(settings_from({**GOOD, "STATE_DIR": str(tmp_path)}), observe)
    worker.watch.start()

    async def broken() -> None:
        raise ValueError("?")

    monkeypatch.setattr(worker.planning, "close", broken)
    monkeypatch.setattr(worker.reconcile, "close", asyncio.Event().wait)
    assert list((tmp_path / "spool").iterdir())
    await asyncio.wait_for(worker._close(), 10)
    sink.close()
    told = [(event.where, event.error) for event in events if isinstance(event, UnforeseenError)]
    assert told == [("worker.close.planning", "ValueError"), ("worker.close.reconcile", "TimeoutError")]
    assert not list((tmp_path / "spool").iterdir())
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("loop:")]
