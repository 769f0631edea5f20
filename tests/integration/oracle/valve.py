"""A TCP proxy that can stop passing bytes without closing, and cut everything at once."""

import asyncio
from types import TracebackType
from typing import Self


class Valve:
    """Listens on a free port (`port`) and forwards to one server."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._listener: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0
        self.accepted = 0
        self.chunks_before_freeze: int | None = None
        """Chunks of a client that still pass until everything freezes; None for no end."""
        self._stranded_up_to = 0
        self._closed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        self.thaw()
        self.cut()
        self._closed.set()
        if self._serving:
            await asyncio.wait(self._serving, timeout=5)

    def freeze(self) -> None:
        """Connections stay up and nothing passes any more, in either direction."""
        self._open.clear()

    def thaw(self) -> None:
        self.chunks_before_freeze = None
        self._open.set()

    def strand(self) -> None:
        """Let the connections that exist fall silent for ever, as a firewall does; new ones pass."""
        self._stranded_up_to = self.accepted

    def cut(self) -> None:
        """Abort every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        number = self.accepted
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, up_writer}
        try:
            await asyncio.gather(
                self._pass(number, reader, up_writer, counted=True), self._pass(number, up_reader, writer)
            )
        finally:
            for end in (writer, up_writer):
                self._writers.discard(end)
                end.transport.abort()

    async def _pass(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False
    ) -> None:
        try:
            while chunk := await reader.read(65_536):
                if counted and self.chunks_before_freeze is not None:
                    if self.chunks_before_freeze <= 0:
                        self.freeze()
                    self.chunks_before_freeze -= 1
                await self._open.wait()
                if number <= self._stranded_up_to:
                    await self._closed.wait()
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            # One side is done: so is the other.
            writer.transport.abort()
