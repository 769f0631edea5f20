"""The body of a snapshot that is too large to be given to the server at once: stored bytes, then the tail."""

from data_plane.requests.disconnects import Disconnects, Watched
from data_plane.requests.ready_body import AT_ONCE_BYTES_MAX
from data_plane.snapshots.failures import FilesFailed
from data_plane.snapshots.shelf import TextReader
from qg_core.errors import SnapshotMissing
from qg_oracle.deadlines import Deadline


class StoredBody:
    """A `LargeBody` of bytes in memory, or of a file that is read while it is sent."""

    def __init__(
        self,
        stored: bytes | TextReader,
        stored_size: int,
        tail: bytes,
        row_count: int,
        deadline: Deadline,
        watched: Watched,
        disconnects: Disconnects,
    ) -> None:
        """`stored_size` in bytes is what was promised; `tail` is encoded like the stored bytes."""
        self._reader = None if isinstance(stored, bytes) else stored
        self._bytes = stored if isinstance(stored, bytes) else b""
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
        if self._sent == len(self._bytes) and self._reader is not None and self._left > 0:
            try:
                self._bytes, self._sent = await self._reader.next(), 0
            except FilesFailed:
                raise SnapshotMissing from None
        piece = self._bytes[self._sent : self._sent + AT_ONCE_BYTES_MAX]
        if piece:
            self._sent += len(piece)
            self._left -= len(piece)
            if self._left < 0:
                raise SnapshotMissing
            return piece
        if self._left > 0:
            # The file is shorter than what was promised.
            raise SnapshotMissing
        tail, self._tail = self._tail, b""
        return tail

    def close(self) -> None:
        self._bytes, self._sent = b"", 0
        self._disconnects.remove(self._watched)
        if self._reader is not None:
            self._reader.close()
