"""What a node remembers in `STATE_DIR`: the verified bundle, the newest beacon, the highest revision it ever served.

Two files: `bundle.sqlite` (SQLite does atomic commits, fsync and recovery, and an edit costs a few pages instead of a
rewrite of everything) and `highest.json` (written aside, synced and renamed), which survives the loss of the first.
Nothing read here is trusted: signatures, gateway and digests are verified again by whoever loads it.

Blocking; run it in a thread of its own (`memory`).
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from qg_bundle.limits import CHECKPOINT_BYTES_MAX
from qg_core.specs import digest_of

BUNDLE_FILE = "bundle.sqlite"
HIGHEST_FILE = "highest.json"
HIGHEST_BYTES_MAX = 4_096
FILE_BYTES_MAX = 2_147_483_648
CHAIN_ROWS_MAX = 10_000
_PAGE_BYTES = 4_096

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chain (revision INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS specs (digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""


class StateFileBroken(Exception):
    """The file can't be read or written. `reason` is a slug, the message says more."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


class Highest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The highest revision that was ever served here, of which gateway, and the wall clock then (Unix seconds)."""

    gateway_id: str
    revision: int
    saved_at: float


class Remembered(msgspec.Struct, frozen=True):
    """What was on disk, not verified yet. `beacon` is empty when there was none."""

    checkpoint: tuple[int, bytes] | None
    deltas: tuple[tuple[int, bytes], ...]
    beacon: bytes


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What a newly served revision adds. With `checkpoint` everything before is replaced."""

    revision: int
    checkpoint: tuple[int, bytes] | None
    deltas: tuple[tuple[int, bytes], ...]
    specs: Mapping[str, bytes]
    dropped: tuple[str, ...]
    """Digests that nothing names any more."""
    kept: frozenset[str] | None = None
    """With a checkpoint: all digests that are named; others are removed."""


class StateFile:
    """Not thread-safe: one thread at a time. Raises `StateFileBroken` throughout."""

    def __init__(self, directory: Path, gateway_id: str) -> None:
        self._directory = directory
        self._gateway_id = gateway_id
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Make the directory and the file if need be. A broken file is put aside and a new one begun; then raises."""
        with _as_broken():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._connect()
        except StateFileBroken as broken:
            if broken.reason != "corrupt":
                raise
            with _as_broken():
                path = self._directory / BUNDLE_FILE
                path.replace(path.with_suffix(".broken"))
                for suffix in ("-wal", "-shm", "-journal"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._connect()
            raise

    @property
    def is_open(self) -> bool:
        """Whether anything can be remembered."""
        return self._connection is not None

    def close(self) -> None:
        """Close the file; anything committed is safe."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def highest(self) -> Highest | None:
        """The highest revision ever served, null when nothing is remembered. Raises on a damaged file."""
        path = self._directory / HIGHEST_FILE
        with _as_broken():
            if not path.exists():
                return None
            with path.open("rb") as file:
                body = file.read(HIGHEST_BYTES_MAX + 1)
        try:
            highest = msgspec.json.decode(body, type=Highest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StateFileBroken("corrupt", f"{HIGHEST_FILE}: {error}") from error
        if highest.gateway_id != self._gateway_id:
            raise StateFileBroken("other_gateway", f"{HIGHEST_FILE} is of gateway {highest.gateway_id!r}")
        return highest

    def write_highest(self, revision: int, now: float) -> None:
        """Remember `revision`, durably, unless a higher one is remembered already."""
        with contextlib.suppress(StateFileBroken):
            before = self.highest()
            if before is not None and before.revision > revision:
                return
        body = msgspec.json.encode(Highest(self._gateway_id, revision, now))
        aside = self._directory / (HIGHEST_FILE + ".new")
        with _as_broken():
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(descriptor, body)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            aside.replace(self._directory / HIGHEST_FILE)
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def load(self) -> Remembered:
        """The chain and the beacon as they were saved: bytes of no more than a signed part may have, unverified."""
        connection = self._open_connection()
        with _as_broken():
            owner = connection.execute("SELECT value FROM about WHERE name = 'gateway_id'").fetchone()
            if owner is not None and owner[0] != self._gateway_id.encode():
                raise StateFileBroken("other_gateway", f"{BUNDLE_FILE} is another gateway's")
            rows = connection.execute(
                "SELECT revision, kind, body FROM chain WHERE typeof(body) = 'blob' AND length(body) <= ?"
                " ORDER BY revision LIMIT ?",
                (CHECKPOINT_BYTES_MAX, CHAIN_ROWS_MAX),
            ).fetchall()
            beacon = connection.execute(
                "SELECT value FROM about WHERE name = 'beacon' AND typeof(value) = 'blob'"
            ).fetchone()
        checkpoints = [(revision, body) for revision, kind, body in rows if kind == "checkpoint"]
        deltas = tuple((revision, body) for revision, kind, body in rows if kind == "delta")
        return Remembered(checkpoints[-1] if checkpoints else None, deltas, beacon[0] if beacon else b"")

    def specs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The remembered bytes of these specs; those that are absent or not what their digest says are left out."""
        connection = self._open_connection()
        found: dict[str, bytes] = {}
        with _as_broken():
            for digest in digests:
                row = connection.execute("SELECT body FROM specs WHERE digest = ?", (digest,)).fetchone()
                if row is not None and isinstance(row[0], bytes) and digest_of(row[0]) == digest:
                    found[digest] = row[0]
        return found

    def save(self, update: Update) -> None:
        """Add what a revision changed, in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO about VALUES ('gateway_id', ?)", (self._gateway_id.encode(),))
            if update.checkpoint is not None:
                connection.execute("DELETE FROM chain")
                revision, body = update.checkpoint
                connection.execute("INSERT INTO chain VALUES (?, 'checkpoint', ?)", (revision, body))
            connection.executemany("INSERT OR REPLACE INTO chain VALUES (?, 'delta', ?)", update.deltas)
            connection.executemany("INSERT OR REPLACE INTO specs VALUES (?, ?)", update.specs.items())
            connection.executemany("DELETE FROM specs WHERE digest = ?", [(digest,) for digest in update.dropped])
            if update.kept is not None:
                known = [row[0] for row in connection.execute("SELECT digest FROM specs")]
                gone = [(digest,) for digest in known if digest not in update.kept]
                connection.executemany("DELETE FROM specs WHERE digest = ?", gone)

        self._transact(write)

    def save_beacon(self, body: bytes) -> None:
        """Remember the newest verified beacon."""
        self._transact(
            lambda connection: connection.execute("INSERT OR REPLACE INTO about VALUES ('beacon', ?)", (body,))
        )

    def _connect(self) -> None:
        path = self._directory / BUNDLE_FILE
        with _as_broken():
            if not path.exists():
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
            try:
                # Exclusive: two nodes that share a directory by mistake must not mix what they remember.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute(f"PRAGMA max_page_count = {FILE_BYTES_MAX // _PAGE_BYTES}")
                _check(connection)
                connection.executescript(_SCHEMA)
            except BaseException:
                connection.close()
                raise
        self._connection = connection

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StateFileBroken("closed", f"{BUNDLE_FILE} is not open")
        return self._connection

    def _transact(self, write: Callable[[sqlite3.Connection], object]) -> None:
        connection = self._open_connection()
        with _as_broken():
            connection.execute("BEGIN IMMEDIATE")
            try:
                write(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise


def _check(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StateFileBroken("corrupt", f"{BUNDLE_FILE}: {verdict}")


@contextlib.contextmanager
def _as_broken() -> Iterator[None]:
    """Turn what SQLite and the file system raise into `StateFileBroken` with a reason."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "full" in text:
            reason = "disk_full"
        elif "locked" in text:
            reason = "shared_by_another_process"
        elif isinstance(error, sqlite3.OperationalError):
            reason = "unusable"
        else:
            reason = "corrupt"
        raise StateFileBroken(reason, f"{BUNDLE_FILE}: {text}") from error
    except OSError as error:
        raise StateFileBroken("disk_full" if error.errno == 28 else "unusable", str(error)) from error
