"""Answers of Redis, read up to a limit: whoever may write there must not fill the memory of those who read.

Most reads ask for at most so many bytes (GETRANGE, scripts). Some commands can't be asked that way: those that read
streams, and whatever a library sends.
"""

from functools import partial

from redis._parsers import _AsyncHiredisParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError


class ResponseTooLarge(RedisError):
    """An answer was longer than its connection takes; the rest of it was not read, and the connection is closed."""


class BoundedParser(_AsyncHiredisParser):
    """redis-py's own parser, which ends an answer that is longer than `response_bytes_max`."""

    def __init__(self, socket_read_size: int, *, response_bytes_max: int) -> None:
        super().__init__(socket_read_size=socket_read_size)
        self._response_bytes_max = response_bytes_max
        self._fed = 0

    async def read_response(self, disable_decoding: bool = False) -> object:  # type: ignore[override]  # as above
        """As redis-py. Raises `ResponseTooLarge`, too."""
        self._fed = 0
        return await super().read_response(disable_decoding)

    async def read_from_socket(self) -> bool:
        """As redis-py, counting."""
        piece = await self._stream.read(self._read_size)  # type: ignore[union-attr]  # there while it is connected
        if not piece:
            raise RedisConnectionError("Connection closed by server.")
        self._fed += len(piece)
        if self._fed > self._response_bytes_max:
            raise ResponseTooLarge(f"Redis answered more than {self._response_bytes_max} bytes")
        self._reader.feed(piece)  # type: ignore[attr-defined]  # as above
        return True


def bounded_parser(response_bytes_max: int) -> "partial[BoundedParser]":
    """What redis-py takes as `parser_class`."""
    return partial(BoundedParser, response_bytes_max=response_bytes_max)
