"""The logs in `STATE_DIR/access`: the one that is written, and older ones that are still to be sent.

A log belongs to the process that holds the lock of its counter: processes that share a directory by mistake write
different logs. What a process left behind is taken over by the next one, which goes on in it if it can trust the
counter: the same boot (memory that is mapped outlives a process, not a power failure), and a file of the right size.
"""

import contextlib
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from data_plane.access_log.counter_file import CounterDamaged, CounterFile, CounterTaken
from data_plane.access_log.log import COUNTER_FILE, Chunk, Log
from data_plane.access_log.segments import SEGMENT_BYTES_MAX, Segments, begins_after
from qg_core.access_events import LOG_ID, LOG_ID_LENGTH
from qg_telemetry.events import AccessEventsDropped, AccessGapFound, AccessLogLeftAlone, Observe

DIRECTORY = "access"
LOGS_MAX = 32
"""Older logs that are kept; a directory that no process can finish must not fill with them."""

_BOOT_FILE = "boot"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Logs:
    """For the disk's thread alone. `bytes_max` bounds the lines of all logs together."""

    def __init__(self, state_dir: Path, bytes_max: int, observe: Observe) -> None:
        self._directory = state_dir / DIRECTORY
        self._bytes_max = bytes_max
        self.segment_bytes_max = min(SEGMENT_BYTES_MAX, bytes_max // 8)
        self._observe = observe
        self._boot = _boot_id()
        self.older: list[Log] = []
        self.current: Log | None = None
        self.dropped = 0
        self.gap = 0

    def open(self) -> Log:
        """The log to write; older ones are in `older`. Quick: nothing is read yet. Raises `OSError`."""
        if self.current is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in sorted(self._directory.iterdir(), key=_begun_at):
                if LOG_ID.fullmatch(path.name) and all(path.name != log.log_id for log in self.older):
                    self._take_over(path)
            self.current = self._continued() or self._begun()
        return self.current

    def read(self) -> None:
        """Read the files of all logs, unless it was done. Seconds, when they are full. Raises `OSError`."""
        for log in self.all:
            self._read(log)

    @property
    def is_read(self) -> bool:
        """Whether it is known what is in the files: nothing may be said of them before."""
        return self.current is not None and all(log.is_read for log in self.all)

    @property
    def bytes(self) -> int:
        """Of all lines in files."""
        return sum(log.segments.bytes for log in self.all)

    @property
    def all(self) -> list[Log]:
        """Oldest first."""
        return [*self.older, self.current] if self.current is not None else self.older.copy()

    def write(self, stored: Callable[[str], int]) -> None:
        """Write what the current log has taken, dropping the oldest lines where there is no room; reads first.

        `stored` says how far a log is stored. Raises `OSError`.
        """
        current = self.current
        if current is None:
            return
        self.read()
        waiting = current.unwritten_bytes
        while waiting and self.bytes + waiting > self._bytes_max and self._drop_oldest(stored):
            pass
        current.write()

    def put(self, chunk: Chunk) -> None:
        """Take lines for the current log; `write` writes them."""
        if self.current is not None:
            self.current.put(chunk)

    def remove(self, log: Log) -> None:
        """Remove an older log that is wholly stored."""
        self.older.remove(log)
        log.remove()

    def close(self) -> None:
        """Close everything that is open."""
        for log in self.all:
            log.close()
        self.older.clear()
        self.current = None

    def _drop_oldest(self, stored: Callable[[str], int]) -> bool:
        for log in self.all:
            if log.segments.bytes:
                lost, last = log.segments.drop_oldest(stored(log.log_id))
                log.lose_up_to(last)
                self._count_dropped(lost, "bytes_max")
                return True
        return False

    def _count_dropped(self, events: int, reason: str) -> None:
        if events:
            self.dropped += events
            self._observe(AccessEventsDropped(events=events, reason=reason))

    def _read(self, log: Log) -> None:
        """Raises `OSError` for the current log; an older one that can't be read must not keep it from being written."""
        if log.is_read:
            return
        try:
            gap, thrown_away = log.read()
        except OSError as error:
            if log is self.current:
                raise
            self.older.remove(log)
            log.close()
            self._leave_alone(log.log_id, error)
            return
        if gap:
            self.gap += gap
            self._observe(AccessGapFound(log_id=log.log_id, events=gap))
        self._count_dropped(thrown_away, "unreadable")

    def _take_over(self, path: Path) -> None:
        """Open a log that nobody has, as an older one; one that can't be opened is left alone."""
        try:
            self.older.append(self._log(path, _counter_in(path)))
        except (CounterTaken, FileNotFoundError):
            return  # another process has it, or has just removed it
        except OSError as error:
            self._leave_alone(path.name, error)

    def _leave_alone(self, log_id: str, error: OSError) -> None:
        self._observe(AccessLogLeftAlone(log_id=log_id, detail=str(error)))

    def _log(self, path: Path, counter: CounterFile) -> Log:
        return Log(path, counter, Segments(path, self.segment_bytes_max))

    def _continued(self) -> Log | None:
        for log in self.older:
            path = self._directory / log.log_id
            same_boot = self._boot is not None and _read_boot(path) == self._boot
            if same_boot and not begins_after(path, log.gone_up_to):
                self.older.remove(log)
                return log
        return None

    def _begun(self) -> Log:
        while len(self.older) >= LOGS_MAX:
            self._give_up(self.older[0])
        log_id = secrets.token_hex(LOG_ID_LENGTH // 2)
        # Made aside and renamed when it is locked: another process sees it whole and taken, or not at all.
        aside = self._directory / f".{log_id}"
        aside.mkdir(mode=0o700)
        with contextlib.ExitStack() as undoing:
            undoing.callback(shutil.rmtree, aside, ignore_errors=True)
            (aside / _BOOT_FILE).write_text(self._boot or "", encoding="ascii")
            counter = CounterFile(aside / COUNTER_FILE, create=True)
            undoing.callback(counter.close)
            path = aside.rename(self._directory / log_id)
            undoing.pop_all()
        return self._log(path, counter)

    def _give_up(self, log: Log) -> None:
        self._read(log)
        if log not in self.older:
            return
        lost = 0
        while log.segments.bytes:
            lost += log.segments.drop_oldest(0)[0]
        self._count_dropped(lost, "logs_max")
        self.remove(log)


def _counter_in(path: Path) -> CounterFile:
    """The counter of a log. Raises `OSError`, `CounterTaken`."""
    try:
        return CounterFile(path / COUNTER_FILE)
    except (CounterDamaged, FileNotFoundError):
        # Its lines are worth sending all the same; only its numbers can't be continued.
        (path / _BOOT_FILE).unlink(missing_ok=True)
        (path / COUNTER_FILE).unlink(missing_ok=True)
        return CounterFile(path / COUNTER_FILE, create=True)


def _boot_id() -> str | None:
    """What changes when the machine starts anew; null where the system does not say."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return None


def _read_boot(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        return (path / _BOOT_FILE).read_text(encoding="ascii", errors="replace").strip()
    return None


def _begun_at(path: Path) -> float:
    with contextlib.suppress(OSError):
        return (path / _BOOT_FILE).stat().st_mtime
    return 0.0
