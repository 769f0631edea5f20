"""The files of one log: lines in ascending order of their numbers, appended, read after any number, dropped in front.

Blocking, and for one thread. What a file holds is known from its own lines, so nothing else has to be written beside
it; a line that a kill tore is cut off when the files are opened again.
"""

import contextlib
import os
from collections import deque
from pathlib import Path

from data_plane.access_log.segment import (
    MARK_BYTES,
    Segment,
    Stretch,
    count_after,
    expect_number,
    place_after,
    read_part,
    read_segment,
)

SEGMENT_BYTES_MAX = 4_194_304

_SUFFIX = ".lines"


class Segments:
    """Raises `OSError` throughout."""

    def __init__(self, directory: Path, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        self._directory = directory
        self._segment_bytes_max = segment_bytes_max
        self._segments: deque[Segment] = deque()
        self._descriptor: int | None = None
        self._read_up_to: tuple[Segment | None, int, int] = (None, 0, 0)
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
        """The number of the last line, 0 when there is none; also for a glance from another thread."""
        with contextlib.suppress(IndexError):
            return self._segments[-1].last
        return 0

    def read(self) -> int:
        """Read what earlier runs left here; how many lines had to be thrown away, torn last ones not counted."""
        thrown_away = last = 0
        found: deque[Segment] = deque()
        for path in _paths(self._directory):
            segment, bad = read_segment(path, last)
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
                return max(segment.first, number + 1) if segment.is_whole else place_after(segment, number)[0]
        return None

    def _stretch(self, segment: Segment, number: int, lines_max: int, bytes_max: int) -> Stretch:
        known_segment, known_number, offset = self._read_up_to
        if known_segment is not segment or known_number != number:
            offset = place_after(segment, number)[1]
        body = read_part(segment, offset, offset + bytes_max)
        # What follows the last newline: nothing, the beginning of a line, or all that is beyond `lines_max`.
        *lines, _ = body[: body.rfind(b"\n") + 1].split(b"\n", lines_max)
        first, last = expect_number(body, 0), expect_number(lines[-1] if lines else b"", 0)
        self._read_up_to = (segment, last, offset + sum(map(len, lines)) + len(lines))
        return Stretch(first, last, lines)

    def drop_up_to(self, number: int) -> None:
        """Remove the files that hold nothing after `number`."""
        while self._segments and self._segments[0].last <= number:
            if len(self._segments) == 1 and self._descriptor is not None and self._segments[0].size < MARK_BYTES:
                return  # the one that is being written, and small: a file a second would not be worth it
            self._drop_first()

    def drop_oldest(self, stored: int) -> tuple[int, int]:
        """Remove the oldest file: how many lines after `stored` are lost with it, and the last number in it."""
        segment = self._segments[0]
        lost = segment.count
        if segment.first <= stored:
            lost = count_after(segment, stored)
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
        self._segments.append(Segment(path))

    def _drop_first(self) -> None:
        segment = self._segments[0]
        if len(self._segments) == 1:
            self.close()
        segment.path.unlink(missing_ok=True)
        self._segments.popleft()
        self.bytes -= segment.size

    def _cut_back(self, segment: Segment) -> None:
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
