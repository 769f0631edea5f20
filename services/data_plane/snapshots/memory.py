"""Encoded snapshots in memory, the least recently used leave first."""

from collections import OrderedDict

from data_plane.catalogs.shapes import AnswerShape
from data_plane.requests.answers import Answer
from data_plane.requests.response_headers import Header

SENT_BYTES = 262_144
"""Pieces in which large bodies are sent: what a client that stops reading holds until its time is over."""

ITEM_SHARE = 4
"""One item may take a quarter of the memory: larger ones are read from disk while they are sent."""

Key = tuple[str, str]
"""Snapshot id and encoding."""


class Ready:
    """What one shape makes of stored bytes within one second of their age, the same for every client."""

    __slots__ = ("age_s", "answer", "headers", "last", "shape", "size")

    def __init__(
        self, shape: AnswerShape, age_s: int, headers: tuple[Header, ...], size: int, last: bytes, answer: Answer | None
    ) -> None:
        """`size` is of the whole body, `last` its last piece with the tail; `answer` when it is sent at once."""
        self.shape = shape
        self.age_s = age_s
        self.headers = headers
        self.size = size
        self.last = last
        self.answer = answer


class Held:
    """Stored bytes, cut into the pieces that are sent, and what was made of them last."""

    __slots__ = ("pieces", "ready", "size")

    def __init__(self, stored: bytes) -> None:
        self.size = len(stored)
        self.pieces = tuple(stored[start : start + SENT_BYTES] for start in range(0, len(stored), SENT_BYTES))
        self.ready: Ready | None = None


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
    """The last piece twice: it is kept with a tail, too."""
    return held.size + len(held.pieces[-1]) if held.pieces else 0
