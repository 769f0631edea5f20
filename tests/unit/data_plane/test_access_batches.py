"""What is sent at once: bounded, in order, and no further than files can be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data_plane.access_log.batches import BATCHES_MAX, Prepared, next_batches
from data_plane.access_log.counter_file import CounterFile
from data_plane.access_log.log import COUNTER_FILE, Chunk, Log
from data_plane.access_log.segments import Segments
from qg_bundle.access.codec import EVENTS_MAX, decode_batch
from qg_security.sealing import new_fernet_key
from qg_security.tags import ACCESS_BATCH_CONTEXT, TagKeys

TAGS = TagKeys([new_fernet_key()], ACCESS_BATCH_CONTEXT)
LOG_ID = "a" * 32


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    directory = tmp_path / LOG_ID
    directory.mkdir()
    log = Log(directory, CounterFile(directory / COUNTER_FILE, create=True), Segments(directory))
    log.read()
    yield log
    log.close()


def write(log: Log, batches: int) -> None:
    """So many batches, 50 bytes a line."""
    for batch in range(batches):
        numbers = range(batch * EVENTS_MAX + 1, (batch + 1) * EVENTS_MAX + 1)
        lines = b"".join(b'[%d,"%s"]\n' % (number, b"x" * 40) for number in numbers)
        log.put(Chunk(lines, numbers[0], numbers[-1], EVENTS_MAX))
    log.write()


def following(log: Log, sent: int, *, stored: int = 0, announced: int = 0, bytes_max: int = 1 << 20) -> list[Prepared]:
    return next_batches(log, TAGS, "node-1", sent=sent, stored=stored, announced=announced, bytes_max=bytes_max)


def test_as_many_as_there_are_and_no_more_than_the_most(log: Log) -> None:
    write(log, BATCHES_MAX + 3)
    found = following(log, 0)
    assert [batch.last for batch in found] == [EVENTS_MAX * (number + 1) for number in range(BATCHES_MAX)]
    assert [decode_batch(TAGS, batch.fields).header.last for batch in found] == [batch.last for batch in found]
    assert len(following(log, found[-1].last)) == 3
    assert following(log, EVENTS_MAX * (BATCHES_MAX + 3)) == []


def test_the_bytes_are_bounded_but_one_batch_always_goes(log: Log) -> None:
    write(log, 3)
    size = following(log, 0)[0].bytes
    assert len(following(log, 0, bytes_max=1)) == 1
    assert len(following(log, 0, bytes_max=size + 1)) == 2
    assert following(log, 0, bytes_max=0) == []


def test_a_gap_is_said_once_and_by_itself(log: Log) -> None:
    log.lose_up_to(40)
    (gap,) = following(log, 0)
    assert (gap.base, gap.last, decode_batch(TAGS, gap.fields).lines) == (41, 40, [])
    assert following(log, gap.last, announced=gap.base) == []


def test_what_lies_before_a_damaged_place_is_sent(log: Log) -> None:
    write(log, 4)
    (path,) = log.segments._directory.glob("*.lines")
    body = path.read_bytes()
    damaged = body.index(b"[%d," % (2 * EVENTS_MAX + 1))
    path.write_bytes(body[:damaged] + b"?" + body[damaged + 1 :])
    found = following(log, 0)
    assert [batch.last for batch in found] == [EVENTS_MAX, 2 * EVENTS_MAX]
    with pytest.raises(OSError, match="altered"):
        following(log, found[-1].last)
