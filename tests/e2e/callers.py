"""Many callers at once over raw sockets: paced ones that keep their connection, and ones that vanish."""

import asyncio
import time
from typing import Protocol
from urllib.parse import urlsplit

from tests.e2e.fleet import Running

_ANSWER_TIMEOUT_S = 15.0


class Place(Protocol):
    """Where callers call: a data plane, or what stands in front of several."""

    @property
    def url(self) -> str: ...


class Caller:
    """One connection, kept as long as the server says so."""

    def __init__(self, place: Place) -> None:
        address = urlsplit(place.url)
        self._host, self._port = str(address.hostname), int(address.port or 0)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.body = b""
        """Of the newest answer."""

    async def ask(self, target: str, *headers: str) -> int:
        """The status of one request; connects where needed."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        lines = [f"GET {target} HTTP/1.1", "Host: test", *headers]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self.body = await self._reader.readexactly(int(length))
        if b"\r\nconnection: close\r\n" in head:
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """End the connection; the next request makes another one."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def ask_at_pace(
    node: Running, per_second: int, seconds: float, target: str, *headers: str, connections: int = 1
) -> tuple[list[float], list[int]]:
    """Latencies (s) and statuses of requests begun at a steady pace, each connection with one request at a time."""
    latencies: list[float] = []
    statuses: list[int] = []
    began = time.monotonic()

    async def run(number: int) -> None:
        caller = Caller(node)
        step = connections / per_second
        due = began + number / per_second
        try:
            while due - began < seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                sent = time.monotonic()
                statuses.append(await caller.ask(target, *headers))
                latencies.append(time.monotonic() - sent)
                due += step
        finally:
            caller.close()

    await asyncio.gather(*(run(number) for number in range(connections)))
    return latencies, statuses


async def vanish(node: Running, target: str, count: int, at_once: int, stay_s: tuple[float, ...]) -> None:
    """`count` clients ask and go away without reading, after one of `stay_s` each; `at_once` of them at a time."""
    address = urlsplit(node.url)
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with places:
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            await writer.drain()
            await asyncio.sleep(stay_s[number % len(stay_s)])
            writer.transport.abort()

    await asyncio.gather(*(one(number) for number in range(count)))
