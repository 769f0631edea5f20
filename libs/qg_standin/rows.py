"""Where the rows of an open cursor come from: the cache, or a stream out of the engine."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol

from qg_standin.cache import EncodedBuilder, EncodedRows, ResultCache
from qg_standin.columns import ColumnEncoder
from qg_standin.engine import EngineSession, Rows
from qg_standin.engine_pool import EnginePool

BATCH_ROWS_MAX = 2000
BATCH_ROWS_MIN = 100
LOB_BATCH_ROWS_MAX = 32
"""A batch is held as a whole, and LOBs may be large."""


@dataclass(frozen=True, slots=True)
class Taken:
    chunk: bytes
    count: int
    is_last: bool


class RowSource(Protocol):
    """Rows in order; `take` may block on the engine unless `is_ready`."""

    def is_ready(self, rows_wanted: int) -> bool: ...

    def take(self, rows_wanted: int) -> Taken: ...


def encode_batch(rows: Rows, encoders: Sequence[ColumnEncoder]) -> list[bytes]:
    """Each row as one ROW_DATA message; encoded column by column."""
    if not rows:
        return []
    columns = [encode(column) for encode, column in zip(encoders, zip(*rows, strict=True), strict=True)]
    return list(map(b"".join, zip(repeat(b"\x07"), *columns)))


class CachedSource:
    """Slices of an encoded result."""

    def __init__(self, rows: EncodedRows) -> None:
        self._rows = rows
        self._position = 0

    @property
    def has_ended(self) -> bool:
        return self._position >= self._rows.count

    def is_ready(self, rows_wanted: int) -> bool:  # noqa: ARG002  (the shape of every source)
        return True

    def take(self, rows_wanted: int) -> Taken:
        start = self._position
        stop = min(start + rows_wanted, self._rows.count)
        self._position = stop
        return Taken(self._rows.slice(start, stop), stop - start, stop == self._rows.count)


class StreamSource:
    """Batches of the engine's open result, encoded as they come.

    With a pool, the engine session goes back there at the end. What it yielded is put into the cache when
    the end is reached and it was small enough.
    """

    def __init__(
        self,
        engine: EngineSession,
        encoders: Sequence[ColumnEncoder],
        *,
        has_lobs: bool = False,
        pool: EnginePool | None = None,
    ) -> None:
        self._batch_rows_max = LOB_BATCH_ROWS_MAX if has_lobs else BATCH_ROWS_MAX
        self._engine = engine
        self._encoders = encoders
        self._pool = pool
        self._cache: ResultCache | None = None
        self._key: Hashable = None
        self._generation = 0
        self._pending: list[bytes] = []
        self._kept: EncodedBuilder | None = None
        self._ended = False

    def keep_for(self, cache: ResultCache, key: Hashable, generation: int) -> None:
        """Gather what is yielded, for `offer_to_cache`; `generation` is the cache's before the start."""
        self._cache, self._key, self._generation = cache, key, generation
        self._kept = EncodedBuilder()

    @property
    def engine(self) -> EngineSession:
        return self._engine

    @property
    def has_ended(self) -> bool:
        return self._ended

    def is_ready(self, rows_wanted: int) -> bool:
        return self._ended or len(self._pending) > rows_wanted

    def prime(self) -> None:
        """Let the engine produce its first rows; blocks."""
        if not self._pending and not self._ended:
            self._fill(BATCH_ROWS_MIN)

    def take(self, rows_wanted: int) -> Taken:
        """At most `rows_wanted` rows, perhaps fewer without being the last; blocks."""
        wanted = min(rows_wanted, self._batch_rows_max)
        while len(self._pending) <= wanted and not self._ended:
            self._fill(wanted)
        part = self._pending[:wanted]
        del self._pending[:wanted]
        return Taken(b"".join(part), len(part), self._ended and not self._pending)

    def buffer_rest(self, bytes_max: int) -> None:
        """Hold the remaining rows in memory, because the engine session is needed; blocks."""
        held = sum(map(len, self._pending))
        while not self._ended:
            before = len(self._pending)
            self._fill(self._batch_rows_max)
            held += sum(map(len, self._pending[before:]))
            if held > bytes_max:
                raise MemoryError("an open result is too large to be set aside")

    def _fill(self, wanted: int) -> None:
        batch = min(max(wanted + 1, BATCH_ROWS_MIN), self._batch_rows_max)
        rows = self._engine.fetch(batch)
        encoded = encode_batch(rows, self._encoders)
        self._pending += encoded
        if self._kept is not None:
            self._kept.add(encoded)
            if self._cache is not None and self._kept.cost_bytes > self._cache.entry_bytes_max:
                self._kept = None
        if len(rows) < batch:
            self._ended = True
            if self._pool is not None:
                self._pool.release(self._engine)

    def offer_to_cache(self) -> None:
        """Call from the event loop once the end was reached."""
        if self._ended and self._kept is not None and self._cache is not None:
            self._cache.put(self._key, self._kept.build(), self._generation)
            self._kept = None

    def abandon(self) -> None:
        """Give the result up before its end. A session of the pool is closed, not reused; that of a
        transaction stays, and its next statement replaces the result.
        """
        if self._ended:
            return
        self._ended = True
        self._pending.clear()
        self._kept = None
        if self._pool is not None:
            self._engine.interrupt()
            self._engine.close()
