"""Standard output that nobody reads must hold up nobody: lines wait, are dropped, and are counted."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qg_telemetry.events import Level
from qg_telemetry.log import Log
from qg_telemetry.sink import LineSink
from tests.unit.qg_telemetry.samples import served

LINE = b"x" * 999 + b"\n"


class Pipe:
    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)

    def drain(self) -> bytes:
        found = b""
        try:
            while chunk := os.read(self.read_end, 1 << 20):
                found += chunk
        except BlockingIOError:
            pass
        return found


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    found = Pipe()
    yield found
    for end in (found.read_end, found.write_end):
        with contextlib.suppress(OSError):
            os.close(end)


def test_without_a_loop_lines_are_written_at_once(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end)
    sink.put(b"a\n")
    assert pipe.drain() == b"a\n"


async def first_of(pipe: Pipe) -> bytes:
    """The first bytes that arrive, all of that moment."""
    async with asyncio.timeout(5):
        while not (found := pipe.drain()):  # noqa: ASYNC110 - a pipe to look into, nothing that could tell
            await asyncio.sleep(0.005)
    return found


async def test_in_a_loop_lines_are_written_together_and_soon(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end)
    sink.attach(asyncio.get_running_loop())
    for number in range(5):
        sink.put(b"%d\n" % number)
    assert pipe.drain() == b""
    assert await first_of(pipe) == b"0\n1\n2\n3\n4\n"


async def test_other_threads_write_through_the_loop(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end)
    sink.attach(asyncio.get_running_loop())
    await asyncio.to_thread(sink.put, b"from a thread\n")
    assert await first_of(pipe) == b"from a thread\n"


async def test_a_full_pipe_never_blocks_and_dropped_lines_are_counted(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end, buffer_bytes_max=50_000)
    sink.attach(asyncio.get_running_loop())
    slowest_s = 0.0
    for _ in range(400):  # 400 kB into a pipe of 64 kB and a buffer of 50 kB that nobody reads
        started = time.thread_time()
        sink.put(LINE)
        await asyncio.sleep(0.0005)
        slowest_s = max(slowest_s, time.thread_time() - started)
    assert slowest_s < 0.2
    assert 250 < sink.lines_dropped < 330
    kept = 400 - sink.lines_dropped
    found = b""
    deadline = time.monotonic() + 10
    while found.count(b"\n") < kept and time.monotonic() < deadline:
        found += pipe.drain()
        await asyncio.sleep(0.005)
    assert found == LINE * kept


async def test_the_log_says_how_many_lines_were_dropped(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end, buffer_bytes_max=10_000)
    sink.attach(asyncio.get_running_loop())
    log = Log("s", Level.INFO, sink)
    for _ in range(60):
        log.write(served(path="/" + "x" * 1000))
    dropped = sink.lines_dropped
    assert dropped > 40
    sink.flush()
    log.write(served())
    sink.flush()
    assert f'"event":"log_lines_dropped","lines":{dropped}}}'.encode() in pipe.drain()


def test_a_reader_that_has_gone_is_no_error(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end)
    os.close(pipe.read_end)
    sink.put(b"a\n")
    assert sink.lines_dropped == 1
    sink.close()


def test_lines_longer_than_a_pipe_takes_at_once_arrive_whole(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end)
    line = bytes(range(65, 91)) * 1200 + b"\n"
    sink.put(line)
    sink.put(b"next\n")
    sink.close()
    assert pipe.drain() == line + b"next\n"


def test_closing_waits_for_a_slow_reader_but_not_for_ever(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end)
    for _ in range(200):
        sink.put(LINE)
    started = time.monotonic()
    sink.close()
    assert 1 < time.monotonic() - started < 6
    assert sink.lines_dropped > 0


def test_files_take_everything(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        sink = LineSink(file.fileno())
        for _ in range(50):
            sink.put(LINE)
        sink.close()
    assert (tmp_path / "log").read_bytes() == LINE * 50


def test_after_the_loop_has_ended_lines_are_still_written(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end)

    async def attach() -> None:
        sink.attach(asyncio.get_running_loop())
        sink.put(b"inside\n")

    asyncio.run(attach())
    sink.put(b"outside\n")
    sink.close()
    assert pipe.drain() == b"inside\noutside\n"


def test_lines_that_come_together_are_written_as_whole_lines(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end)
    lines = [b"%d " % number + b"x" * (number * 97 % 1_300) + b"\n" for number in range(60)]
    lines.insert(30, b"y" * 9_000 + b"\n")
    sink.put(b"".join(lines))
    written = pipe.drain().splitlines(keepends=True)
    assert written == lines


def test_lines_that_come_together_are_dropped_and_counted_one_by_one(pipe: Pipe) -> None:
    sink = LineSink(pipe.write_end, buffer_bytes_max=8 * len(LINE))
    sink.put(LINE * 10)
    found = pipe.drain()
    assert found == LINE * (10 - sink.lines_dropped)
    assert 0 < sink.lines_dropped < 10
