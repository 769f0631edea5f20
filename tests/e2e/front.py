"""A small TCP load balancer in front of data planes that come and go, in a thread of its own.

It looks at each node's ops port and hands new connections to those that are ready, in turn; it moves bytes and knows
nothing of HTTP. So a request is lost wherever a node ends a connection that somebody still uses.
"""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.e2e.fleet import Running

LOOK_EVERY_S = 0.05
PROBE_TIMEOUT_S = 1.0
START_TIMEOUT_S = 10.0
_READ_BYTES = 65_536


class Front:
    """`with Front() as front`: `front.url` for callers, `front.put(name, running)` for each node."""

    def __init__(self) -> None:
        self._nodes: dict[str, Running] = {}
        self._ready: frozenset[str] = frozenset()
        self._open: dict[str, int] = {}
        self._next = 0
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(START_TIMEOUT_S), "the front does not listen"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(START_TIMEOUT_S)
        self._loop.close()

    def put(self, name: str, node: Running) -> None:
        """Look at this node from now on; it replaces the one of the same name."""
        self._nodes = {**self._nodes, name: node}

    def hands_to(self, name: str) -> bool:
        """Whether new connections may go to this node."""
        return name in self._ready

    def connections_to(self, name: str) -> int:
        """How many connections to this node are open."""
        return self._open.get(name, 0)

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        looking = asyncio.create_task(self._look_for_ever())
        self._listening.set()
        await self._ended.wait()
        looking.cancel()
        await asyncio.wait([looking])
        server.close()

    async def _look_for_ever(self) -> None:
        while True:
            nodes = self._nodes
            answers = await asyncio.gather(*(_is_ready(node) for node in nodes.values()))
            self._ready = frozenset(name for name, ready in zip(nodes, answers, strict=True) if ready)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for name in self._in_turn():
            try:
                back_reader, back_writer = await _connect(self._nodes[name].url)
            except OSError:
                continue
            self._open[name] = self.connections_to(name) + 1
            try:
                # Whichever side ends first ends the other one.
                pumps = [asyncio.create_task(_pump(*pair)) for pair in ((reader, back_writer), (back_reader, writer))]
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._open[name] -= 1
                for pump in pumps:
                    pump.cancel()
                for side in (back_writer, writer):
                    side.close()
            return
        writer.close()

    def _in_turn(self) -> list[str]:
        names = sorted(self._ready)
        self._next += 1
        start = self._next % len(names) if names else 0
        return names[start:] + names[:start]


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(url)
    return await asyncio.open_connection(place.hostname, place.port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()


async def _is_ready(node: Running) -> bool:
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await _connect(node.ops_url)
            try:
                writer.write(b"GET /-/ready HTTP/1.1\r\nHost: front\r\nConnection: close\r\n\r\n")
                return (await reader.readuntil(b"\r\n")).split(b" ")[1] == b"200"
            finally:
                writer.close()
    return False
