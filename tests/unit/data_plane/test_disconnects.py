"""Clients that go away: noticed for requests in flight for a while, free for quick ones."""

import asyncio
import time
from typing import Any

from data_plane.requests.disconnects import WATCHED_AFTER_S, Disconnects, Watched


class Server:
    """`receive` as Granian has it: a call returns a future."""

    def __init__(self) -> None:
        self.calls = 0
        self.disconnect: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def receive(self) -> asyncio.Future[dict[str, Any]]:
        self.calls += 1
        if self.calls > 1:
            return self.disconnect
        body: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        body.set_result({"type": "http.request", "body": b"", "more_body": False})
        return body


async def test_a_client_that_goes_away_fires_the_signal() -> None:
    server, disconnects = Server(), Disconnects()
    now = time.monotonic()
    watched = Watched(server.receive, now)
    disconnects.add(watched)
    disconnects.sweep(now + WATCHED_AFTER_S / 2)
    assert server.calls == 0
    disconnects.sweep(now + WATCHED_AFTER_S * 2)
    disconnects.sweep(now + WATCHED_AFTER_S * 3)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert server.calls == 2
    assert not watched.gone
    server.disconnect.set_result({"type": "http.disconnect"})
    await asyncio.sleep(0)
    assert watched.gone
    assert watched.fired
    disconnects.remove(watched)


async def test_a_request_that_ends_stops_listening() -> None:
    server, disconnects = Server(), Disconnects()
    watched = Watched(server.receive, 0.0)
    disconnects.add(watched)
    disconnects.sweep(time.monotonic())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    disconnects.remove(watched)
    await asyncio.sleep(0)
    assert server.disconnect.cancelled()
    assert not watched.fired


async def test_a_quick_request_never_asks() -> None:
    server, disconnects = Server(), Disconnects()
    watched = Watched(server.receive, time.monotonic())
    disconnects.add(watched)
    disconnects.remove(watched)
    disconnects.sweep(time.monotonic() + 10)
    assert server.calls == 0
