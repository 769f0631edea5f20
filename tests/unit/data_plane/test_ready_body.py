"""A complete body in pieces: all of it for a client that reads, no longer than its time for one that doesn't."""

import asyncio
import time
from typing import cast

import pytest

from data_plane.requests.asgi import Message
from data_plane.requests.pieces import send_pieces
from data_plane.requests.ready_body import AT_ONCE_BYTES_MAX, ReadyBody
from data_plane.requests.visit import Visit
from qg_core.errors import QueryTimedOut
from qg_oracle.deadlines import Deadline

_START: Message = {"type": "http.response.start", "status": 200, "headers": []}


class _Visit:
    body_bytes = 0
    row_count: int | None = None


async def test_all_pieces_in_order() -> None:
    body = bytes(range(256)) * (AT_ONCE_BYTES_MAX // 100)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    visit = _Visit()
    await send_pieces(cast(Visit, visit), _START, ReadyBody(body, 7, Deadline(time.monotonic() + 5)), send)
    pieces = [message["body"] for message in sent[1:]]
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) == AT_ONCE_BYTES_MAX
    assert (visit.body_bytes, visit.row_count) == (len(body), 7)


async def test_a_client_that_stops_reading_is_given_up_at_its_deadline() -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    started = time.monotonic()
    large = ReadyBody(bytes(10 * AT_ONCE_BYTES_MAX), 7, Deadline(started + 0.1))
    with pytest.raises(QueryTimedOut):
        await send_pieces(cast(Visit, _Visit()), _START, large, send)
    assert time.monotonic() - started >= 0.1
    assert await large.next_piece() == b"", "the bytes are let go of"
