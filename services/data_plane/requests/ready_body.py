"""A complete body that is sent in pieces all the same: a client that stops reading must not hold it for ever."""

from qg_oracle.deadlines import Deadline

AT_ONCE_BYTES_MAX = 128 * 1024
"""A body up to this size is given to the server in one piece, whoever reads it; also the size of the pieces."""


class ReadyBody:
    """A `LargeBody` of bytes that are all there."""

    gone = False

    def __init__(self, body: bytes, row_count: int, deadline: Deadline) -> None:
        self._body = body
        self._sent = 0
        self.size: int | None = len(body)
        self.row_count = row_count
        self.expires_at = deadline.expires_at

    async def next_piece(self) -> bytes:
        piece = self._body[self._sent : self._sent + AT_ONCE_BYTES_MAX]
        self._sent += len(piece)
        return piece

    def close(self) -> None:
        self._body = b""
