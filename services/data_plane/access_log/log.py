"""One log: its counter and its lines under one id, in one directory."""

import shutil
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from data_plane.access_log.counter_file import CounterFile
from data_plane.access_log.segments import Segments

COUNTER_FILE = "counter"


class Chunk(msgspec.Struct, frozen=True):
    """Lines `first` to `last` as they go into a file, each with its newline."""

    lines: bytes
    first: int
    last: int
    count: int


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks that follow each other, as one."""
    if len(chunks) == 1:
        return chunks[0]
    return Chunk(
        b"".join([chunk.lines for chunk in chunks]),
        chunks[0].first,
        chunks[-1].last,
        sum(chunk.count for chunk in chunks),
    )


class Log:
    """For the disk's thread alone, but for the counter's first cell. Raises `OSError` where it touches the disk."""

    def __init__(self, directory: Path, counter: CounterFile, segments: Segments) -> None:
        self.log_id = directory.name
        self.counter = counter
        self.segments = segments
        self._directory = directory
        self._unwritten: deque[Chunk] = deque()
        self.gone_up_to = counter.numbers_gone
        """Whatever has no line up to here will never have one."""
        self.is_read = False
        self.written_bytes = 0
        """Of what was put here, how much is in files; only ever grows."""

    def read(self) -> tuple[int, int]:
        """Read the files: how many requests left no event, and how many lines were thrown away as unreadable.

        Before anything else is done with them, and once: afterwards what is gone is settled.
        """
        thrown_away = self.segments.read()
        self.is_read = True
        known = max(self.counter.settled, self.segments.last)
        # A counter that a power failure set back, below what files hold.
        self.gone_up_to = max(self.gone_up_to, known)
        self.counter.settle(self.gone_up_to)
        return self.gone_up_to - known, thrown_away

    def put(self, chunk: Chunk) -> None:
        """Take lines to be written; `write` writes them."""
        self._unwritten.append(chunk)

    def write(self) -> None:
        """Write what was taken. What is left when this raises is tried again next time."""
        while self._unwritten:
            chunk = self._unwritten[0]
            self.segments.append(chunk.lines, chunk.first, chunk.last, chunk.count)
            self._unwritten.popleft()
            self.counter.settle(chunk.last)
            self.written_bytes += len(chunk.lines)

    def lose_up_to(self, number: int) -> None:
        """Events up to `number` that are not here will not come."""
        self.gone_up_to = max(self.gone_up_to, number)
        if not self._unwritten:
            self.counter.settle(number)

    @property
    def unwritten_bytes(self) -> int:
        """What waits for a disk that does not take it."""
        return sum(len(chunk.lines) for chunk in self._unwritten)

    def base(self, stored: int) -> int:
        """The smallest number after `stored` that may still be sent: smaller ones are lost."""
        number = self.segments.number_after(stored)
        if number is not None:
            return number
        if self._unwritten:
            return max(self._unwritten[0].first, stored + 1)
        return max(self.gone_up_to, stored) + 1

    def settled_before(self, stored: int) -> int:
        """Up to which number nothing waits here; for a glance from another thread."""
        first = self.segments.first
        return max(stored, first - 1 if first else 0 if self._unwritten else self.gone_up_to)

    def close(self) -> None:
        """Close the files; another process may take the log."""
        self.segments.close()
        self.counter.close()

    def remove(self) -> None:
        """Remove a log that is wholly stored, while it is still locked."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self.close()
