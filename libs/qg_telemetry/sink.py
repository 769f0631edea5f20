"""Where log lines go: a file descriptor that must never hold up the event loop.

Lines are gathered and written in batches. A reader that has stopped reading (a full pipe) makes lines wait in a
bounded buffer and then be dropped and counted; nothing blocks. This works without touching the descriptor's flags,
which other processes may share: `poll` promises that a pipe takes at least PIPE_BUF bytes, and no more is written at
once.
"""

import asyncio
import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Iterator

BUFFER_BYTES_MAX = 4 * 1024 * 1024
FLUSH_DELAY_S = 0.01
RETRY_DELAY_S = 0.05
CLOSE_WAIT_S = 2.0
CHUNK_BYTES = select.PIPE_BUF


class LineSink:
    """Writes lines to `fd`. Inside a running event loop in batches, elsewhere at once; usable from any thread."""

    def __init__(self, fd: int = 1, *, buffer_bytes_max: int = BUFFER_BYTES_MAX) -> None:
        self._fd = fd
        self._buffer_bytes_max = buffer_bytes_max
        self._lines: deque[bytes] = deque()
        """Lines, several in one piece where they came together, and the rest of one that was cut off."""
        self._buffered_bytes = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flush_planned = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self.lines_dropped = 0

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on write in batches from `loop`."""
        self._loop = loop

    @property
    def has_room(self) -> bool:
        """Whether the buffer is at most half full."""
        return 2 * self._buffered_bytes <= self._buffer_bytes_max

    def put(self, lines: bytes) -> None:
        """Take lines, each ending in a newline. Never blocks for longer than it takes to write, never raises."""
        with self._lock:
            taken = False
            for piece in _pieces(lines):
                if self._buffered_bytes + len(piece) > self._buffer_bytes_max:
                    self.lines_dropped += piece.count(b"\n")
                    continue
                self._lines.append(piece)
                self._buffered_bytes += len(piece)
                taken = True
            if not taken or self._flush_planned:
                return
            self._flush_planned = True
        self._plan_flush()

    def flush(self) -> bool:
        """Write what the descriptor takes now; whether nothing is left."""
        with self._lock:
            self._flush_planned = False
            return self._write_out()

    def close(self) -> None:
        """Write the rest, waiting for a slow reader at most `CLOSE_WAIT_S`; later lines are written at once."""
        self._loop = None
        with self._lock:
            waits_left = int(CLOSE_WAIT_S / 0.1)
            while not self._write_out() and waits_left > 0:
                waits_left -= 1
                self._poll.poll(100)
            self.lines_dropped += sum(piece.count(b"\n") for piece in self._lines)
            self._lines.clear()
            self._buffered_bytes = 0
            self._flush_planned = False

    def _plan_flush(self) -> None:
        loop = self._loop
        if loop is None:
            self.flush()
            return
        try:
            running = asyncio._get_running_loop()
            if running is loop:
                loop.call_later(FLUSH_DELAY_S, self._flush_in_loop)
            else:
                loop.call_soon_threadsafe(self._flush_in_loop)
        except RuntimeError:  # the loop is closed
            self._loop = None
            self.flush()

    def _flush_in_loop(self) -> None:
        if self.flush():
            return
        with self._lock:
            if self._flush_planned:
                return
            self._flush_planned = True
        loop = self._loop
        if loop is not None:
            loop.call_later(RETRY_DELAY_S, self._flush_in_loop)

    def _write_out(self) -> bool:
        while self._lines:
            chunk = self._next_chunk()
            if not self._writable():
                self._lines.appendleft(chunk)
                return False
            try:
                written = os.write(self._fd, chunk)
            except (BlockingIOError, InterruptedError):
                written = 0
            except OSError:  # the reader is gone for good: there is nobody left to tell
                self.lines_dropped += chunk.count(b"\n")
                self._buffered_bytes -= len(chunk)
                continue
            self._buffered_bytes -= written
            if written < len(chunk):
                self._lines.appendleft(chunk[written:])
                if written == 0:
                    return False
        return True

    def _next_chunk(self) -> bytes:
        """Whole lines up to `CHUNK_BYTES`, or the first part of a longer one."""
        first = self._lines.popleft()
        if len(first) > CHUNK_BYTES:
            self._lines.appendleft(first[CHUNK_BYTES:])
            return first[:CHUNK_BYTES]
        parts = [first]
        size = len(first)
        while self._lines and size + len(self._lines[0]) <= CHUNK_BYTES:
            part = self._lines.popleft()
            size += len(part)
            parts.append(part)
        return b"".join(parts) if len(parts) > 1 else first

    def _writable(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self._poll.poll(0))
        return True


def _pieces(lines: bytes) -> Iterator[bytes]:
    """Whole lines up to `CHUNK_BYTES` at a time; a longer line alone."""
    start = 0
    while len(lines) - start > CHUNK_BYTES:
        end = lines.rfind(b"\n", start, start + CHUNK_BYTES) + 1 or lines.find(b"\n", start) + 1 or len(lines)
        yield lines[start:end]
        start = end
    if start < len(lines):
        yield lines[start:]
