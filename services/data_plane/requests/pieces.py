"""Sends an answer in pieces while its rows are fetched, no faster than the client reads them."""

import asyncio
import time

from data_plane.requests.answers import ClientGone, LargeBody
from data_plane.requests.asgi import Message, Send
from data_plane.requests.visit import Visit
from qg_core.errors import QueryTimedOut


async def send_pieces(visit: Visit, start: Message, large: LargeBody, send: Send) -> None:
    """The server takes a piece when the client has read the ones before it.

    Raises whatever ends it early. The status is out by then, so the caller must return without another message: the
    server then closes the connection without a final chunk.
    """
    try:
        await send(start)
        while piece := await large.next_piece():
            if large.gone:
                raise ClientGone
            visit.body_bytes += len(piece)
            await _send_in_time(send, piece, large.expires_at)
        await send({"type": "http.response.body", "body": b""})
    finally:
        visit.row_count = large.row_count
        large.close()


async def _send_in_time(send: Send, piece: bytes, expires_at: float) -> None:
    """Send a piece; a client that reads too slowly has used up the time of its request. Raises `QueryTimedOut`."""
    try:
        async with asyncio.timeout(expires_at - time.monotonic()):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except TimeoutError:
        raise QueryTimedOut("The answer was not read in time.") from None
