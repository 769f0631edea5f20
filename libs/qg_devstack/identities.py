"""Which process a pid meant: pids are used again, so the time at which it started is kept beside it."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

# The kernel counts from boot; the same process looks a little older or younger after the clock was set.
_CLOCK_SHIFT_MS = 2_000


@dataclass(frozen=True)
class Identity:
    """A process for as long as it lives; `started_ms` is its start in milliseconds of Unix time."""

    pid: int
    started_ms: int

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The process that has this pid now. Raises psutil.NoSuchProcess."""
        return cls(pid, round(psutil.Process(pid).create_time() * 1000))

    @classmethod
    def from_text(cls, text: str) -> Identity:
        """The reverse of `text`. Raises ValueError."""
        pid, started_ms = text.split("-")
        return cls(int(pid), int(started_ms))

    @property
    def text(self) -> str:
        """`<pid>-<started_ms>`."""
        return f"{self.pid}-{self.started_ms}"

    def is_running(self) -> bool:
        """Whether this very process still runs; one that has ended and was not waited for does not."""
        try:
            process = psutil.Process(self.pid)
            started_ms = round(process.create_time() * 1000)
            ended = process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        return not ended and abs(started_ms - self.started_ms) <= _CLOCK_SHIFT_MS
