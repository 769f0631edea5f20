"""One file of a log: what is known of it without reading it, and how its lines are found again."""

import errno
import os
import re
from bisect import bisect_right
from pathlib import Path

import msgspec

from qg_core.access_events import LINE_BYTES_MAX, SEQUENCE_MAX

MARK_BYTES = 65_536
"""So much of a file lies between two places that are known by number."""

_NUMBER = re.compile(rb"\[([1-9][0-9]{0,14}),")


class Stretch(msgspec.Struct, frozen=True):
    """Lines that follow each other, without their newlines; the numbers of the first and of the last."""

    first: int
    last: int
    lines: list[bytes]


class Segment:
    """Not thread-safe. The marks are the numbers of some lines, and where those begin."""

    __slots__ = ("count", "first", "last", "mark_numbers", "mark_offsets", "path", "size")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.count = 0
        self.first = 0
        self.last = 0
        self.mark_numbers: list[int] = []
        self.mark_offsets: list[int] = []

    def note(self, first: int, last: int, count: int, size: int) -> None:
        """Lines `first` to `last` were added."""
        if not self.count:
            self.first = first
        if not self.mark_offsets or self.size - self.mark_offsets[-1] >= MARK_BYTES:
            self.mark_numbers.append(first)
            self.mark_offsets.append(self.size)
        self.last = last
        self.count += count
        self.size += size

    @property
    def is_whole(self) -> bool:
        """Whether no number is missing between the first and the last."""
        return self.last - self.first + 1 == self.count

    def stretch_of(self, number: int) -> tuple[int, int]:
        """Two places: the first line after `number` begins neither before the first nor after the second."""
        following = bisect_right(self.mark_numbers, number)
        end = self.mark_offsets[following] if following < len(self.mark_offsets) else self.size
        return self.mark_offsets[max(following - 1, 0)], end


def read_segment(path: Path, after: int) -> tuple[Segment, int]:
    """The file as far as its lines ascend from `after`, the rest of it cut off; and how many lines that rest had."""
    segment = Segment(path)
    body = path.read_bytes()
    end = body.rfind(b"\n") + 1
    previous = after
    while segment.size < end:
        line_end = body.find(b"\n", segment.size, segment.size + LINE_BYTES_MAX + 1) + 1
        number = _number_at(body, segment.size)
        if not line_end or number is None or number <= previous:
            break
        segment.note(number, number, 1, line_end - segment.size)
        previous = number
    if segment.size < len(body):
        os.truncate(path, segment.size)
    return segment, body.count(b"\n", segment.size, end)


def place_after(segment: Segment, number: int) -> tuple[int, int]:
    """The first line after `number`, which is in this file: its number, and where it begins."""
    begin, end = segment.stretch_of(number)
    body = read_part(segment, begin, end + LINE_BYTES_MAX)
    place = 0
    while (found := expect_number(body, place)) <= number:
        # Past the end where the line has none: no number is there either.
        place = body.find(b"\n", place) + 1 or len(body)
    return found, begin + place


def count_after(segment: Segment, number: int) -> int:
    """How many lines after `number` this file holds."""
    if segment.last <= number:
        return 0
    return read_part(segment, place_after(segment, number)[1], segment.size).count(b"\n")


def read_part(segment: Segment, begin: int, end: int) -> bytes:
    """The bytes between two places, as far as they are known to be whole lines."""
    # No file object: each of its five calls lets go of the interpreter and waits for it behind the event loop.
    descriptor = os.open(segment.path, os.O_RDONLY)
    try:
        return os.pread(descriptor, min(end, segment.size) - begin, begin)
    finally:
        os.close(descriptor)


def expect_number(body: bytes, offset: int) -> int:
    """The number of the line that begins there. Raises `OSError`."""
    number = _number_at(body, offset)
    if number is None:
        raise OSError(errno.EIO, "a segment was altered while it was open")
    return number


def _number_at(body: bytes, offset: int) -> int | None:
    found = _NUMBER.match(body, offset)
    number = int(found[1]) if found is not None else 0
    return number if 0 < number <= SEQUENCE_MAX else None
