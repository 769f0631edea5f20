"""The files of one log: lines in ascending order of their numbers, appended, read after any number, dropped in front.

Blocking, and for one thread. What a file holds is known from its own lines, so nothing else has to be written beside
it; a line that a kill tore is cut off when the files are opened again.
"""

import contextlib
import errno
import os
import re
from bisect import bisect_right
from collections import deque
from pathlib import Path

import msgspec

from qg_core.access_events import LINE_BYTES_MAX

SEGMENT_BYTES_MAX = 4_194_304
_MARK_BYTES = 65_536
"""So much of a file lies between two places that are known by number."""

_SUFFIX = ".lines"
_NUMBER = re.compile(rb"\[([1-9][0-9]{0,14}),")


class Stretch(msgspec.Struct, frozen=True):
    """Lines that follow each other, without their newlines; the numbers of the first and of the last."""

    first: int
    last: int
    lines: list[bytes]


class _Segment:
    """One file. `marks`: numbers of some lines, and where those begin."""

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
        if not self.mark_offsets or self.size - self.mark_offsets[-1] >= _MARK_BYTES:
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


class Segments:
    """Raises `OSError` throughout."""

    def __init__(self, directory: Path, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        self._directory = directory
        self._segment_bytes_max = segment_bytes_max
        self._segments: deque[_Segment] = deque()
        self._descriptor: int | None = None
        self._read_up_to: tuple[_Segment | None, int, int] = (None, 0, 0)
        """Where the last reading ended: the next one mostly begins there."""
        self.bytes = 0

    @property
    def first(self) -> int:
        """The number of the first line, 0 when there is none; also for a glance from another thread."""
        with contextlib.suppress(IndexError):
            return self._segments[0].first
        return 0

    @property
    def last(self) -> int:
        """The number of the last line, 0 when there is none."""
        return self._segments[-1].last if self._segments else 0

    def read(self) -> int:
        """Read what earlier runs left here; how many lines had to be thrown away, torn last ones not counted."""
        thrown_away = last = 0
        found: deque[_Segment] = deque()
        for path in _paths(self._directory):
            segment, bad = _read_segment(path, last)
            thrown_away += bad
            if segment.count:
                found.append(segment)
                last = segment.last
            else:
                path.unlink()
        self._segments = found
        self.bytes = sum(segment.size for segment in found)
        return thrown_away

    def append(self, lines: bytes, first: int, last: int, count: int) -> None:
        """Add lines `first` to `last`, each with its newline: all of them or, when this raises, none."""
        if self._descriptor is None or self._segments[-1].size + len(lines) > self._segment_bytes_max:
            self._begin_segment(first)
        segment = self._segments[-1]
        try:
            _write_all(self._descriptor, lines)
        except OSError:
            self._cut_back(segment)
            raise
        segment.note(first, last, count, len(lines))
        self.bytes += len(lines)

    def after(self, number: int, *, lines_max: int, bytes_max: int) -> Stretch | None:
        """The next lines after `number`, as far as one file and the limits go; null when there are none.

        `bytes_max` must be enough for any one line (`LINE_BYTES_MAX`).
        """
        for segment in self._segments:
            if segment.last > number:
                return self._stretch(segment, number, lines_max, bytes_max)
        return None

    def number_after(self, number: int) -> int | None:
        """The number of the next line after `number`."""
        for segment in self._segments:
            if segment.last > number:
                return max(segment.first, number + 1) if segment.is_whole else _place_after(segment, number)[0]
        return None

    def _stretch(self, segment: _Segment, number: int, lines_max: int, bytes_max: int) -> Stretch:
        known_segment, known_number, offset = self._read_up_to
        if known_segment is not segment or known_number != number:
            offset = _place_after(segment, number)[1]
        body = _read(segment, offset, offset + bytes_max)
        # What follows the last newline: nothing, the beginning of a line, or all that is beyond `lines_max`.
        *lines, _ = body[: body.rfind(b"\n") + 1].split(b"\n", lines_max)
        first, last = _expect_number(body, 0), _expect_number(lines[-1], 0)
        self._read_up_to = (segment, last, offset + sum(map(len, lines)) + len(lines))
        return Stretch(first, last, lines)

    def drop_up_to(self, number: int) -> None:
        """Remove the files that hold nothing after `number`."""
        while self._segments and self._segments[0].last <= number:
            if len(self._segments) == 1 and self._descriptor is not None and self._segments[0].size < _MARK_BYTES:
                return  # the one that is being written, and small: a file a second would not be worth it
            self._drop_first()

    def drop_oldest(self, stored: int) -> tuple[int, int]:
        """Remove the oldest file: how many lines after `stored` are lost with it, and the last number in it."""
        segment = self._segments[0]
        lost = segment.count
        if segment.first <= stored:
            lost = _count_after(segment, stored)
        self._drop_first()
        return lost, segment.last

    def close(self) -> None:
        """Close the file that is being written."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _begin_segment(self, first: int) -> None:
        self.close()
        path = self._directory / _name_of(first)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._segments.append(_Segment(path))

    def _drop_first(self) -> None:
        segment = self._segments[0]
        if len(self._segments) == 1:
            self.close()
        segment.path.unlink(missing_ok=True)
        self._segments.popleft()
        self.bytes -= segment.size

    def _cut_back(self, segment: _Segment) -> None:
        """Take off what a failed write left. Where even that fails, later lines go into another file."""
        if not segment.count:
            self.close()
            self._segments.pop()
            with contextlib.suppress(OSError):
                segment.path.unlink(missing_ok=True)
            return
        try:
            os.ftruncate(self._descriptor, segment.size)  # type: ignore[arg-type]  # append has just opened it
        except OSError:
            self.close()


def begins_after(directory: Path, number: int) -> bool:
    """Whether a file here begins after `number`, by its name."""
    names = _paths(directory)
    return bool(names) and names[-1].name > _name_of(number)


def _paths(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{_SUFFIX}"))


def _name_of(first: int) -> str:
    return f"{first:015d}{_SUFFIX}"


def _write_all(descriptor: int | None, body: bytes) -> None:
    left = memoryview(body)
    while left:
        left = left[os.write(descriptor, left) :]  # type: ignore[arg-type]  # as above


def _read_segment(path: Path, after: int) -> tuple[_Segment, int]:
    """The file as far as its lines ascend from `after`, the rest of it cut off; and how many lines that rest had."""
    segment = _Segment(path)
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


def _place_after(segment: _Segment, number: int) -> tuple[int, int]:
    """The first line after `number`, which is in this file: its number, and where it begins."""
    begin, end = segment.stretch_of(number)
    body = _read(segment, begin, end + LINE_BYTES_MAX)
    place = 0
    while (found := _expect_number(body, place)) <= number:
        place = body.index(b"\n", place) + 1
    return found, begin + place


def _count_after(segment: _Segment, number: int) -> int:
    if segment.last <= number:
        return 0
    return _read(segment, _place_after(segment, number)[1], segment.size).count(b"\n")


def _read(segment: _Segment, begin: int, end: int) -> bytes:
    with segment.path.open("rb") as file:
        file.seek(begin)
        return file.read(min(end, segment.size) - begin)


def _expect_number(body: bytes, offset: int) -> int:
    number = _number_at(body, offset)
    if number is None:
        raise OSError(errno.EIO, "a segment was altered while it was open")
    return number


def _number_at(body: bytes, offset: int) -> int | None:
    found = _NUMBER.match(body, offset)
    return int(found[1]) if found is not None else None
