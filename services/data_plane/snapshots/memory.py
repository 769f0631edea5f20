"""Encoded snapshots in memory, the least recently used leave first."""

from collections import OrderedDict

from data_plane.catalogs.shapes import AnswerShape
from data_plane.requests.answers import Answer
from data_plane.requests.ready_body import AT_ONCE_BYTES_MAX

ITEM_SHARE = 4
"""One item may take a quarter of the memory: larger ones are read from disk while they are sent."""

Key = tuple[str, str]
"""Snapshot id and encoding."""


class Held:
    """Stored bytes, and the newest complete answer that was made of them when they are small."""

    __slots__ = ("age_s", "answer", "shape", "stored")

    def __init__(self, stored: bytes) -> None:
        self.stored = stored
        self.answer: Answer | None = None
        self.shape: AnswerShape | None = None
        self.age_s = -1


class SnapshotMemory:
    """At most `bytes_max` bytes. In the event loop only."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.item_bytes_max = bytes_max // ITEM_SHARE
        self._held: OrderedDict[Key, Held] = OrderedDict()
        self.used_bytes = 0

    def get(self, key: Key) -> Held | None:
        """What is held under `key`, as the most recently used."""
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
        return held

    def put(self, key: Key, stored: bytes) -> Held:
        """Hold these bytes if there is room at all; what they became in either case."""
        held = Held(stored)
        if _cost(held) > self.item_bytes_max:
            return held
        self.drop(key)
        self._held[key] = held
        self.used_bytes += _cost(held)
        while self.used_bytes > self._bytes_max:
            _, oldest = self._held.popitem(last=False)
            self.used_bytes -= _cost(oldest)
        return held

    def drop(self, key: Key) -> None:
        """Forget one item."""
        held = self._held.pop(key, None)
        if held is not None:
            self.used_bytes -= _cost(held)


def _cost(held: Held) -> int:
    """Twice when a complete answer is kept beside the stored bytes."""
    size = len(held.stored)
    return size * 2 if size <= AT_ONCE_BYTES_MAX else size
