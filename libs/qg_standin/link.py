"""One TCP connection: packets in, packets out, flow control and the marker exchange.

The session above it sees connect strings, message bytes and breaks; it never sees packets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

from qg_standin import packets
from qg_standin.packets import Framing
from qg_standin.wire import Malformed

_log = logging.getLogger(__name__)
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
WRITE_BUFFER_BYTES_MAX = 1024 * 1024
_FULL_PACKET_WAIT_S = 0.005


class LinkUser(Protocol):
    """What a link tells the session that sits on it."""

    def on_connect(self, request: packets.ConnectRequest) -> None: ...

    def on_connect_string(self, text: str) -> None: ...

    def on_message(self, buffer: bytearray) -> None:
        """Consume what is whole of `buffer`; called again when more arrived."""

    def on_break(self) -> None: ...

    def on_reset(self) -> None: ...

    def on_closed(self) -> None: ...


class Link(asyncio.Protocol):
    def __init__(self, make_user: Callable[[Link], LinkUser]) -> None:
        self.framing = Framing()
        self.awaits_connect_string = False
        self.is_breaking = False
        self.buffer = bytearray()
        self._user = make_user(self)
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._tried_bytes = 0
        self._retry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (the shape asyncio calls)
        self._transport = None
        self._writable.set()
        if self._retry is not None:
            self._retry.cancel()
        self._user.on_closed()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        self.framing.feed(data)
        try:
            while (packet := self.framing.next_packet()) is not None:
                self._on_packet(packet)
        except Malformed as error:
            _log.warning("connection aborted: %s", error)
            self.abort()
        except Exception:  # noqa: BLE001  (logged; one connection must not end the server)
            _log.exception("connection aborted")
            self.abort()

    def _on_packet(self, packet: packets.Packet) -> None:
        if packet.kind == packets.DATA:
            self._on_data(packet)
        elif packet.kind == packets.MARKER:
            self._on_marker(packet.body)
        elif packet.kind == packets.CONNECT and not self.framing.wide:
            request = packets.parse_connect(packet.body)
            self.awaits_connect_string = request.connect_string is None
            self._user.on_connect(request)
        else:
            raise Malformed(f"packet type {packet.kind}")

    def _on_data(self, packet: packets.Packet) -> None:
        if len(packet.body) < 2:
            raise Malformed("a DATA packet without flags")
        if self.awaits_connect_string:
            self.awaits_connect_string = False
            self._user.on_connect_string(packet.body[2:].decode(errors="replace"))
            return
        if not self.framing.wide:
            raise Malformed("DATA before ACCEPT")
        if self.is_breaking:
            return
        if int.from_bytes(packet.body[:2], "big") & packets.DATA_FLAG_EOF:
            self.close()
            return
        self.buffer += packet.body[2:]
        if len(self.buffer) > MESSAGE_BYTES_MAX:
            raise Malformed("a message that is too long")
        if packet.full and len(self.buffer) < 2 * self._tried_bytes:
            # A long request is looked at when it doubled, or the parsing would be quadratic; the timer is
            # for one that ends exactly at a full packet.
            if self._retry is None:
                self._retry = asyncio.get_running_loop().call_later(_FULL_PACKET_WAIT_S, self.look_again)
            return
        self._offer()

    def look_again(self) -> None:
        """Offer buffered bytes once more: a call ended, or a timer fired."""
        self._retry = None
        if not self.buffer or self.is_breaking:
            return
        try:
            self._offer()
        except Malformed as error:
            _log.warning("connection aborted: %s", error)
            self.abort()
        except Exception:  # noqa: BLE001  (logged; one connection must not end the server)
            _log.exception("connection aborted")
            self.abort()

    def _offer(self) -> None:
        self._user.on_message(self.buffer)
        self._tried_bytes = len(self.buffer)

    def _on_marker(self, body: bytes) -> None:
        kind = body[2] if len(body) >= 3 else 0
        if kind in (packets.MARKER_BREAK, packets.MARKER_INTERRUPT):
            self.buffer.clear()
            self._tried_bytes = 0
            already = self.is_breaking
            self.is_breaking = True
            if not already:
                self.write(packets.marker(packets.MARKER_BREAK))
                self._user.on_break()
        elif kind == packets.MARKER_RESET:
            if not self.is_breaking:
                self.is_breaking = True
                self.buffer.clear()
                self._user.on_break()
            self._user.on_reset()
        else:
            raise Malformed(f"marker {kind}")

    def write(self, packet: bytes) -> None:
        if self._transport is not None:
            self._transport.write(packet)

    @property
    def is_writable(self) -> bool:
        """False while the peer reads too slowly."""
        return self._writable.is_set()

    async def drain(self) -> None:
        """Wait until the peer has read enough; returns at once when the connection is gone."""
        await self._writable.wait()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
