"""Access events on disk: nothing that was written is lost by a restart, and what is lost is counted exactly."""

import asyncio
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_plane.access_log import recorder as recorder_module
from qg_telemetry.events import AccessEventsDropped, AccessGapFound, AccessLogFailed, AccessLogRecovered
from tests.integration.access_log.access_rig import RecordingNode, Sink, lines_in
from tests.support.waiting import until

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def file_size_limit() -> Iterator[int]:
    """No file of this process grows beyond so many bytes: a write at the limit is torn, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = 100_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield size
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_restart_goes_on_where_it_was(tmp_path: Path, redis_url: str) -> None:
    async with RecordingNode(tmp_path, NOWHERE) as node:
        assert node.serve(700) == list(range(1, 701))
        log_id = node.log_id
    assert lines_in(tmp_path) == list(range(1, 701))
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        assert node.log_id == log_id
        assert node.recorder.events_gap == 0
        assert node.serve(300) == list(range(701, 1_001))
        await sink.until_persisted(log_id, 1_000)
        assert sink.lost(log_id) == 0
        await until(lambda: node.recorder.events_waiting == 0)
    # A small file is kept while it is written to; what the former process wrote is gone.
    assert lines_in(tmp_path) == list(range(701, 1_001))


async def test_many_segments_are_sent_and_dropped(tmp_path: Path, redis_url: str) -> None:
    async with RecordingNode(tmp_path, redis_url, bytes_max=1_048_576) as node, Sink(redis_url) as sink:
        node.serve(6_000)
        await node.written()
        assert len(list((tmp_path / "access").glob("*/*.lines"))) > 4
        await sink.until_persisted(node.log_id, 6_000)
        assert (sink.lost(node.log_id), sink.received) == (0, 6_000)
        await until(lambda: node.recorder.segment_bytes < 131_072)


async def test_full_files_drop_the_oldest_and_count_them(tmp_path: Path, redis_url: str) -> None:
    async with RecordingNode(tmp_path, NOWHERE, bytes_max=1_048_576) as node:
        node.serve(12_000)
        await node.written()
        assert 700_000 < node.recorder.segment_bytes <= 1_048_576
        dropped = node.recorder.events_dropped
        kept = lines_in(tmp_path)
        assert kept == list(range(dropped + 1, 12_001))
        assert sum(found.events for found in node.told(AccessEventsDropped)) == dropped
        log_id = node.log_id
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        await sink.until_persisted(log_id, 12_000)
        assert (sink.lost(log_id), sink.stored()) == (dropped, len(kept))


async def test_a_full_disk_holds_up_nothing_and_loses_nothing(
    tmp_path: Path, redis_url: str, file_size_limit: int
) -> None:
    async with RecordingNode(tmp_path, redis_url) as node:
        node.serve(3_000, at_once=70)
        await node.written()
        assert len(node.told(AccessLogFailed)) == 1
        assert node.recorder.segment_bytes <= file_size_limit
        assert lines_in(tmp_path) == list(range(1, len(lines_in(tmp_path)) + 1))
        assert node.recorder.events_dropped == 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until(lambda: bool(node.told(AccessLogRecovered)))
        await node.written()
        async with Sink(redis_url) as sink:
            await sink.until_persisted(node.log_id, 3_000)
            assert sink.lost(node.log_id) == 0


async def test_a_directory_that_can_not_be_made_is_tried_again(tmp_path: Path, redis_url: str) -> None:
    in_the_way = tmp_path / "access"
    in_the_way.write_text("not a directory")
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        node.recorder.begin()  # still running when the directory can be made
        assert len(node.serve(40)) == 40
        assert len(node.told(AccessLogFailed)) == 1
        assert node.recorder.events_dropped == 40
        in_the_way.unlink()
        await until(lambda: bool(node.told(AccessLogRecovered)))
        running = node.recorder.end(1)
        assert running == 41
        numbers = node.serve(10)
        await sink.until_persisted(node.log_id, numbers[-1])
        # The forty before there was a file, and the one that ended without saying so.
        assert (sink.lost(node.log_id), sink.stored()) == (41, 10)


async def test_a_disk_that_hangs_costs_no_more_than_its_share_of_memory(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "WAITING_BYTES_MAX", 50_000)
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        hanging = threading.Event()
        node.disk.post(hanging.wait)
        try:
            node.serve(2_000)
            dropped = node.recorder.events_dropped
            assert 1_000 < dropped < 1_900
        finally:
            hanging.set()
        # What was dropped lies behind what was kept: the node says that nothing will come, without any new request.
        await sink.until_persisted(node.log_id, 2_000)
        assert sink.lost(node.log_id) == dropped
        assert sum(found.events for found in node.told(AccessEventsDropped)) <= dropped


async def test_a_torn_line_and_what_follows_damage_are_cut_off(tmp_path: Path, redis_url: str) -> None:
    async with RecordingNode(tmp_path, NOWHERE) as node:
        node.serve(100)
        log_id = node.log_id
    (path,) = (tmp_path / "access").glob("*/*.lines")
    with path.open("ab") as file:
        file.write(b'[101,17000.5,"torn')
    async with RecordingNode(tmp_path, NOWHERE) as node:
        assert lines_in(tmp_path) == list(range(1, 101))
        assert node.recorder.events_dropped == 0
    body = path.read_bytes()
    lines = body.split(b"\n")
    path.write_bytes(b"\n".join([*lines[:50], b"\0" * 200, *lines[51:]]))
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        assert [found.reason for found in node.told(AccessEventsDropped)] == ["unreadable"]
        assert node.recorder.events_dropped == 50
        await sink.until_persisted(log_id, 100)
        assert (sink.lost(log_id), sink.stored()) == (50, 50)


async def test_processes_that_share_a_directory_write_logs_of_their_own(tmp_path: Path, redis_url: str) -> None:
    async with (
        RecordingNode(tmp_path, redis_url) as one,
        RecordingNode(tmp_path, redis_url) as two,
        Sink(redis_url) as sink,
    ):
        assert one.log_id != two.log_id
        assert one.serve(100) == two.serve(100)
        await sink.until_stored(200)
        assert set(sink.rows) == {one.log_id, two.log_id}


async def test_requests_that_ran_when_the_process_died_are_a_gap(tmp_path: Path, redis_url: str) -> None:
    """Also with no request since: the node says by itself that nothing will come."""
    async with RecordingNode(tmp_path, NOWHERE) as node:
        node.serve(10)
        for _ in range(3):
            node.recorder.begin()
        log_id = node.log_id
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        assert [(found.log_id, found.events) for found in node.told(AccessGapFound)] == [(log_id, 3)]
        await sink.until_persisted(log_id, 13)
        assert sink.lost(log_id) == 3
    async with RecordingNode(tmp_path, redis_url) as node:
        assert node.recorder.events_gap == 0
        assert node.serve(1) == [14]


async def test_what_ends_while_the_log_is_closed_is_written(tmp_path: Path, redis_url: str) -> None:
    node = RecordingNode(tmp_path, redis_url)
    await node.recorder.start()
    await node.written()
    let_go = threading.Event()
    node.disk.post(lambda: let_go.wait(5))
    node.serve(3)
    closing = asyncio.create_task(node.recorder.close())
    # The three lines, and the look whether there is more to write: whatever comes now comes late.
    await until(lambda: node.disk._calls.qsize() == 2)
    late = node.serve(4)
    let_go.set()
    await closing
    await node.redis.aclose()
    async with RecordingNode(tmp_path, NOWHERE) as after:
        assert after.recorder.events_gap == 0
    assert lines_in(tmp_path)[-4:] == late
