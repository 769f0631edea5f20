"""Collects a response and writes it in packets; long ones leave while they are made."""

from __future__ import annotations

import asyncio

from qg_standin import packets
from qg_standin.link import Link
from qg_standin.replies import END_OF_RESPONSE

_FLUSH_BYTES = 128 * 1024


class CallInterrupted(Exception):
    """The client broke this call off; nothing of its response may be sent any more."""


class Call:
    """One running request: what a break has to stop and wait for."""

    def __init__(self) -> None:
        self.interrupted = asyncio.Event()
        self.ended = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def check(self) -> None:
        if self.interrupted.is_set():
            raise CallInterrupted

    async def sleep(self, seconds: float) -> None:
        """Sleep that a break ends."""
        try:
            await asyncio.wait_for(self.interrupted.wait(), seconds)
        except TimeoutError:
            return
        raise CallInterrupted


class Response:
    """The messages of one response, framed by the session's data unit."""

    def __init__(self, link: Link, *, ends_marked: bool) -> None:
        self._link = link
        self._marked = ends_marked
        self._parts: list[bytes] = []
        self._bytes = 0
        self._room = link.framing.sdu - packets.HEADER_BYTES - 2

    def add(self, message: bytes) -> None:
        self._parts.append(message)
        self._bytes += len(message)

    async def relieve(self, call: Call) -> None:
        """Send whole packets of what has gathered and wait for a slow reader, unless the call is broken."""
        if self._bytes >= _FLUSH_BYTES:
            call.check()
            gathered = b"".join(self._parts)
            # At least one byte stays behind: the ending must be in the last packet.
            whole = (len(gathered) - 1) // self._room * self._room
            self._link.write(packets.frame_data(gathered[:whole], self._link.framing.sdu, 0))
            self._parts = [gathered[whole:]]
            self._bytes = len(gathered) - whole
        if self._link.is_writable:
            return
        drained = asyncio.ensure_future(self._link.drain())
        broken = asyncio.ensure_future(call.interrupted.wait())
        try:
            await asyncio.wait((drained, broken), return_when=asyncio.FIRST_COMPLETED)
        finally:
            drained.cancel()
            broken.cancel()
        call.check()

    def finish(self) -> bytes:
        """Send what is left with the ending; the packets that were sent by this call."""
        flags = 0
        if self._marked:
            self._parts.append(END_OF_RESPONSE)
            flags = packets.DATA_FLAG_END_OF_RESPONSE
        last = packets.frame_data(b"".join(self._parts), self._link.framing.sdu, flags)
        self._link.write(last)
        return last
