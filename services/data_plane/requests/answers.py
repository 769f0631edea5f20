"""What the pipeline hands to the gateway: an answer whose body is complete, or one that is still being fetched."""

from typing import Protocol

from data_plane.requests.response_headers import Header


class ClientGone(Exception):
    """The client went away: there is nobody to answer."""


class LargeBody(Protocol):
    """A body too large to be sent at once: piece by piece, as fast as the client reads and no longer than it may."""

    expires_at: float
    """When the time of this request is over, on `time.monotonic()`'s clock; sending counts."""

    size: int | None
    """All its bytes, where they are known before the first is sent."""

    @property
    def row_count(self) -> int: ...

    @property
    def gone(self) -> bool:
        """Whether the client went away."""
        ...

    async def next_piece(self) -> bytes:
        """The next bytes; empty at the end. Raises `GatewayError`."""
        ...

    def close(self) -> None:
        """Let go of the database; whatever is still running is cancelled there."""
        ...


class Answer:
    """A 200. `headers` are the endpoint's own; `body` is None for HEAD; `large` replaces `body`.

    Of a `stored` one, a snapshot, `headers` also say the encoding, the ETag and the size; it may be a 304.
    """

    __slots__ = ("body", "headers", "large", "row_count", "status", "stored")

    def __init__(
        self,
        headers: tuple[Header, ...],
        body: bytes | None = None,
        row_count: int | None = None,
        large: LargeBody | None = None,
        *,
        stored: bool = False,
        status: int = 200,
    ) -> None:
        self.headers = headers
        self.body = body
        self.row_count = row_count
        self.large = large
        self.stored = stored
        self.status = status
