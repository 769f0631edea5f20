"""Bodies of snapshots that are too large to be given to the server at once: stored bytes, then the tail."""

from collections.abc import Callable

from data_plane.requests.disconnects import Disconnects, Watched
from data_plane.snapshots.failures import FilesFailed
from data_plane.snapshots.memory import SENT_BYTES, Held, Ready
from data_plane.snapshots.shelf import TextReader
from qg_core.errors import SnapshotMissing
from qg_oracle.deadlines import Deadline


class HeldBody:
    """A `LargeBody` of bytes in memory, which were cut once for all clients."""

    gone = False

    def __init__(
        self, held: Held, ready: Ready, row_count: int, deadline: Deadline, on_close: Callable[[], None]
    ) -> None:
        """`on_close` is called once."""
        self._on_close: Callable[[], None] | None = on_close
        self._pieces = held.pieces
        self._last: bytes = ready.last
        self._sent = 0
        self.size: int | None = ready.size
        self.row_count = row_count
        self.expires_at = deadline.expires_at

    async def next_piece(self) -> bytes:
        number = self._sent
        self._sent += 1
        if number < len(self._pieces) - 1:
            return self._pieces[number]
        last, self._last = self._last, b""
        return last

    def close(self) -> None:
        self._pieces, self._last = (), b""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()


class FileBody:
    """A `LargeBody` of a file that is read while it is sent; stops when the client went away."""

    def __init__(
        self,
        reader: TextReader,
        stored_size: int,
        tail: bytes,
        row_count: int,
        deadline: Deadline,
        watched: Watched,
        disconnects: Disconnects,
        on_close: Callable[[], None],
    ) -> None:
        """`stored_size` in bytes is what was promised; `tail` is encoded like the stored bytes."""
        self._on_close = on_close
        self._reader = reader
        self._bytes = b""
        self._sent = 0
        self._left = stored_size
        self._tail = tail
        self._watched = watched
        self._disconnects = disconnects
        disconnects.add(watched)
        self.size: int | None = stored_size + len(tail)
        self.row_count = row_count
        self.expires_at = deadline.expires_at

    @property
    def gone(self) -> bool:
        return self._watched.gone

    async def next_piece(self) -> bytes:
        if self._left == 0:
            tail, self._tail = self._tail, b""
            return tail
        if self._sent == len(self._bytes):
            try:
                self._bytes, self._sent = await self._reader.next(), 0
            except FilesFailed:
                raise SnapshotMissing from None
        piece = self._bytes[self._sent : self._sent + SENT_BYTES]
        self._sent += len(piece)
        self._left -= len(piece)
        if not piece or self._left < 0:
            # The file is shorter or longer than what was promised.
            raise SnapshotMissing
        return piece

    def close(self) -> None:
        self._bytes, self._sent = b"", 0
        self._disconnects.remove(self._watched)
        self._reader.close()
        self._on_close()
