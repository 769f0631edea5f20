"""Encoded results of whole queries, bounded in bytes and dropped on every commit.

A hit costs a look-up and a slice, so that what is measured against the stand-in is the client.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import accumulate, islice

_OFFSET_BYTES = 8
_ENTRY_BYTES = 1024
"""What an entry costs beside its rows: the key and the objects around it."""


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as they go over the wire, one after the other, with where each begins."""

    blob: bytes
    offsets: array[int]

    @property
    def count(self) -> int:
        return len(self.offsets) - 1

    @property
    def cost_bytes(self) -> int:
        return len(self.blob) + len(self.offsets) * _OFFSET_BYTES + _ENTRY_BYTES

    def slice(self, start: int, stop: int) -> bytes:
        offsets = self.offsets
        if start == 0 and stop == len(offsets) - 1:
            return self.blob
        return self.blob[offsets[start] : offsets[stop]]


class EncodedBuilder:
    """Gathers batches of encoded rows."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._offsets = array("q", (0,))

    @property
    def cost_bytes(self) -> int:
        return self._offsets[-1] + len(self._offsets) * _OFFSET_BYTES

    def add(self, rows: list[bytes]) -> None:
        if rows:
            self._chunks.append(b"".join(rows))
            self._offsets.extend(islice(accumulate(map(len, rows), initial=self._offsets[-1]), 1, None))

    def build(self) -> EncodedRows:
        return EncodedRows(b"".join(self._chunks), self._offsets)


class ResultCache:
    """Least recently used first out; `generation` tells a late writer that its result is stale."""

    def __init__(self, *, bytes_max: int, entry_bytes_max: int, entries_max: int) -> None:
        self.entry_bytes_max = entry_bytes_max
        self.generation = 0
        self.hits = 0
        self.misses = 0
        self._bytes_max = bytes_max
        self._entries_max = entries_max
        self._bytes = 0
        self._entries: OrderedDict[Hashable, EncodedRows] = OrderedDict()

    def get(self, key: Hashable) -> EncodedRows | None:
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, rows: EncodedRows, generation: int) -> None:
        if generation != self.generation or rows.cost_bytes > self.entry_bytes_max or key in self._entries:
            return
        self._entries[key] = rows
        self._bytes += rows.cost_bytes
        while self._bytes > self._bytes_max or len(self._entries) > self._entries_max:
            _, evicted = self._entries.popitem(last=False)
            self._bytes -= evicted.cost_bytes

    def clear(self) -> None:
        """Forget everything; called on each commit of a change."""
        self.generation += 1
        self._entries.clear()
        self._bytes = 0
