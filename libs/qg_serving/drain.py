"""An application that knows how many requests it runs and can tell its clients to go elsewhere."""

import asyncio

from qg_serving.asgi import AsgiApp, Message, Receive, Scope, Send

_CLOSE = (b"connection", b"close")


class Draining:
    """Wraps an ASGI application: counts what runs and, once draining, closes every connection it answers on."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._running = 0
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """Requests running now."""
        return self._running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._running += 1
        if self._draining:
            self._idle.clear()
            send = _closing(send)
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            if self._draining and self._running == 0:
                self._idle.set()

    def start_draining(self) -> None:
        """From now on answer with `Connection: close`."""
        self._draining = True
        if self._running:
            self._idle.clear()

    async def idle(self, timeout_s: float) -> bool:
        """Wait until nothing runs, at most `timeout_s`; whether that came true."""
        try:
            await asyncio.wait_for(self._idle.wait(), max(0.0, timeout_s))
        except TimeoutError:
            return self._running == 0
        return True


def _closing(send: Send) -> Send:
    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
            message = {**message, "headers": [*kept, _CLOSE]}
        await send(message)

    return closing
