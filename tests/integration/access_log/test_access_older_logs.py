"""What earlier processes left in STATE_DIR: sent whatever state it is in, or left alone and told; never in the way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data_plane.access_log import logs
from qg_telemetry.events import AccessEventsDropped, AccessLogFailed, AccessLogLeftAlone
from tests.fixtures.redis import StartRedis
from tests.integration.access_log.access_rig import RecordingNode, Sink, lines_in
from tests.support.waiting import until

NOWHERE = "redis://127.0.0.1:1/0"

Damage = Callable[[Path], object]

UNTRUSTED: dict[str, Damage] = {
    "another_boot": lambda log: (log / "boot").write_text("another one"),
    "garbled_boot": lambda log: (log / "boot").write_bytes(b"\xff\xfe"),
    "short_counter": lambda log: (log / "counter").write_text("another one"),
    "absurd_counter": lambda log: (log / "counter").write_bytes(b"\xff" * 16),
    "no_counter": lambda log: (log / "counter").unlink(),
}


async def left_behind(state_dir: Path, events: int) -> Path:
    """The directory of a log whose process has sent nothing."""
    async with RecordingNode(state_dir, NOWHERE) as node:
        node.serve(events)
        return state_dir / "access" / node.log_id


def in_the_way(path: Path) -> None:
    """Make a file something that nobody can read, root neither."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", UNTRUSTED.values(), ids=UNTRUSTED.keys())
async def test_numbers_that_can_not_be_trusted_begin_a_new_log(tmp_path: Path, redis_url: str, damage: Damage) -> None:
    old = await left_behind(tmp_path, 120)
    damage(old)
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        assert node.log_id != old.name
        assert node.serve(30) == list(range(1, 31))
        assert node.recorder.events_waiting == 150
        await sink.until_persisted(old.name, 120)
        await sink.until_persisted(node.log_id, 30)
        await until(lambda: not old.exists())
        await until(lambda: node.recorder.events_waiting == 0)
        assert (node.recorder.events_gap, node.told(AccessLogLeftAlone)) == (0, [])


@pytest.mark.parametrize("file", ["counter", "lines"])
async def test_what_can_not_be_read_is_told_and_holds_up_nothing(tmp_path: Path, redis_url: str, file: str) -> None:
    old = await left_behind(tmp_path, 10)
    (old / "boot").write_text("another one")
    (path,) = old.glob(f"*{file}")
    in_the_way(path)
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        assert [told.log_id for told in node.told(AccessLogLeftAlone)] == [old.name]
        node.serve(5)
        await sink.until_persisted(node.log_id, 5)
        assert node.told(AccessLogFailed) == []
    assert path.is_dir(), "nothing of it was touched"


async def test_more_logs_than_are_kept_give_way_and_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOGS_MAX", 2)
    unreadable = await left_behind(tmp_path, 3)
    (path,) = unreadable.glob("*.lines")
    in_the_way(path)
    (unreadable / "boot").write_text("another one")
    for _ in range(2):
        (await left_behind(tmp_path, 10) / "boot").write_text("another one")
    async with RecordingNode(tmp_path, NOWHERE) as node:
        assert [(told.events, told.reason) for told in node.told(AccessEventsDropped)] == [(10, "logs_max")]
        assert [log.is_read for log in node.logs.all] == [True, True]
        node.serve(7)
        await node.written()
    path.rmdir()
    assert len(lines_in(tmp_path)) == 10 + 7


@pytest.mark.fault
async def test_files_that_fail_hold_up_no_other_log(tmp_path: Path, start_redis: StartRedis) -> None:
    old = await left_behind(tmp_path, 50)
    (old / "boot").write_text("another one")
    server = start_redis()
    url = server.address.url()
    server.kill()
    async with RecordingNode(tmp_path, url) as node:
        (path,) = old.glob("*.lines")
        path.write_bytes(b"[1,altered while it is open")
        server.start()
        async with Sink(url) as sink:
            node.serve(20)
            await sink.until_persisted(node.log_id, 20)
            assert old.name not in sink.rows
        assert node.told(AccessLogFailed)
