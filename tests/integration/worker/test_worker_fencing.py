"""What keeps a worker from writing for a run that is not its own any more, asked part by part."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from qg_bundle.link import open_link
from qg_bundle.snapshots.encoding import StoredWriter
from qg_bundle.snapshots.writer import SnapshotWriter
from qg_core.job_runs import LEASE_S
from qg_oracle.pools import Pools
from qg_security.sealing import Sealer
from qg_security.tags import SNAPSHOT_CONTEXT, TagKeys
from qg_store.engine import SessionFactory, make_engine, make_sessions
from qg_store.models import Endpoint
from qg_store.repositories import job_runs
from qg_telemetry.events import Event
from tests.integration.worker.rig import WorkerRig
from tests.support.waiting import until
from worker.runs import execution
from worker.runs.definitions import Definition, Definitions
from worker.runs.heartbeat import Heartbeat
from worker.runs.live import LOST, UNCONFIRMED, Interrupted, LiveRun, LiveRuns, Moment
from worker.snapshots.copying import Copying
from worker.snapshots.production import Production, Result
from worker.snapshots.spool import Spool, SpooledFiles
from worker.snapshots.storing import Storing


@pytest.fixture
async def engine(gate: WorkerRig) -> AsyncIterator[AsyncEngine]:
    found = make_engine(gate.urls.worker)
    yield found
    await found.dispose()


@pytest.fixture
def files(tmp_path: Path) -> Any:
    spool = Spool(tmp_path / "own")
    with spool.files("run") as found:
        yield found
    spool.close()


async def claimed(gate: WorkerRig, engine: AsyncEngine) -> tuple[LiveRun, Definition]:
    """A run claimed by this test, and what it would do."""
    await gate.run_of("select 1 as one from dual")
    asked_at = Moment.now()
    async with make_sessions(engine)() as session:
        found = await job_runs.claim(session, "tester", 4, LEASE_S)
        await session.commit()
    assert found is not None
    definitions = Definitions(make_sessions(engine), Sealer([gate.publishing.keys.seal]))
    return LiveRun(found, asked_at), await definitions.of(found.endpoint_id)


def result_in(files: SpooledFiles) -> Result:
    writer = StoredWriter(files.sinks)
    writer.write(b'{"ONE":1}')
    text = writer.finish()
    files.flush()
    return Result(files, text, time.time(), 1, False)


def storing(gate: WorkerRig, sessions: SessionFactory) -> Storing:
    return Storing(
        sessions,
        TagKeys([gate.publishing.keys.seal], SNAPSHOT_CONTEXT),
        gateway_id=gate.publishing.gateway_id,
        copies_bytes_max=1_000_000,
        retention_count=lambda: 5,
    )


async def test_an_old_token_stores_nothing(gate: WorkerRig, engine: AsyncEngine, files: SpooledFiles) -> None:
    run, definition = await claimed(gate, engine)
    await gate.execute("UPDATE job_runs SET token = token + 1")
    with pytest.raises(Interrupted, match=LOST):
        await storing(gate, make_sessions(engine)).store(definition, result_in(files), run)
    assert await gate.snapshots() == []
    assert (await gate.run(run.run_id)).status == "running"


async def test_an_old_lease_does_not_even_ask(gate: WorkerRig, engine: AsyncEngine, files: SpooledFiles) -> None:
    run, definition = await claimed(gate, engine)
    run.confirm(Moment(time.monotonic() - LEASE_S, time.time() - LEASE_S))
    await engine.dispose()
    with pytest.raises(Interrupted, match=UNCONFIRMED):
        await storing(gate, make_sessions(engine)).store(definition, result_in(files), run)
    assert await gate.snapshots() == []


class Forgetful(AsyncSession):
    """Commits for once without hearing of it, as when the connection breaks right then."""

    forgot = False

    async def commit(self) -> None:
        await super().commit()
        if not Forgetful.forgot:
            Forgetful.forgot = True
            raise OperationalError("COMMIT", {}, OSError("no answer"))


async def test_a_commit_whose_answer_was_lost_is_not_repeated(
    gate: WorkerRig, engine: AsyncEngine, files: SpooledFiles
) -> None:
    run, definition = await claimed(gate, engine)
    sessions: SessionFactory = async_sessionmaker(engine, class_=cast(type[AsyncSession], Forgetful))
    stored = await storing(gate, sessions).store(definition, result_in(files), run)
    assert Forgetful.forgot
    [snapshot] = await gate.snapshots()
    assert str(snapshot.id) == stored.header.snapshot_id
    assert snapshot.number == stored.header.number
    assert (await gate.run(run.run_id)).status == "success"


async def test_a_connection_that_falls_silent_does_not_keep_a_run_from_its_end(
    gate: WorkerRig, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "WRITE_TIMEOUT_S", 0.5)
    run, definition = await claimed(gate, engine)
    await gate.publishing.edit(Endpoint, definition.endpoint.id, is_active=False)
    silent = make_engine(gate.urls.worker, pool_max=1)
    redis, spool, events = open_link(gate.redis_url), Spool(tmp_path / "spooled"), list[Event]()
    runs = execution.Execution(
        sessions=make_sessions(silent),
        live=LiveRuns(),
        definitions=Definitions(make_sessions(engine), Sealer([gate.publishing.keys.seal])),
        spool=spool,
        production=Production(Pools(lambda _: None), worker_name="tester", bytes_max=1_000),
        storing=storing(gate, make_sessions(silent)),
        copying=Copying(SnapshotWriter(redis), events.append),
        timeout_max_ms=lambda: 1_000,
        observe=events.append,
    )
    async with silent.connect() as connection:
        pid = int((await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one())
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.wait_for(runs.run(run), 7)
    finally:
        os.kill(pid, signal.SIGCONT)
        await silent.dispose()
        await redis.aclose()
        spool.close()
    assert [event.event for event in events] == ["job_run_failed"]
    assert (await gate.run(run.run_id)).status == "failed"


async def test_leases_are_kept_while_the_event_loop_is_busy(gate: WorkerRig, engine: AsyncEngine) -> None:
    run, _ = await claimed(gate, engine)
    live, events, beats = LiveRuns(), list[Event](), 0
    live.add(run)

    def note(*_: object) -> None:
        nonlocal beats
        beats += 1

    heartbeat = Heartbeat(
        database_url=gate.urls.worker, live=live, on_beat=note, on_silence=lambda: None, observe=events.append
    )
    heartbeat.start()
    await until(lambda: beats > 0)
    time.sleep(LEASE_S + 1)  # noqa: ASYNC251 - a loop that is busy is what this is about
    assert run.held
    assert (await gate.run(run.run_id)).lease_until > await gate.now()
    # What was taken away shows at the next beat.
    known: list[object] = []
    heartbeat._on_beat = lambda _, held: known.append(run.key in held)
    await gate.execute("UPDATE job_runs SET token = token + 1")
    await until(lambda: False in known)
    await asyncio.wait_for(heartbeat.close(), 10)
