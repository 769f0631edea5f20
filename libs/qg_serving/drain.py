"""How many requests run, and an application that can tell its clients to go elsewhere."""

import asyncio

from qg_serving.asgi import AsgiApp, Message, Receive, Scope, Send

_CLOSE = (b"connection", b"close")


class RunningRequests:
    """Counts the requests of one application; a `Drains`."""

    __slots__ = ("_idle", "draining", "running")

    def __init__(self) -> None:
        self.running = 0
        self.draining = False
        self._idle = asyncio.Event()

    def enter(self) -> None:
        """Count a request; `leave` must follow."""
        self.running += 1

    def leave(self) -> None:
        """A request is over."""
        self.running -= 1
        if self.draining and not self.running:
            self._idle.set()

    def start_draining(self) -> None:
        """From now on whoever answers is to say `Connection: close`."""
        self.draining = True

    async def idle(self, timeout_s: float) -> bool:
        """Wait until nothing runs, at most `timeout_s`; whether that came true. Call it when draining has begun."""
        if self.running:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), max(0.0, timeout_s))
            except TimeoutError:
                return self.running == 0
        return True


class Draining:
    """Wraps an ASGI application: counts its `requests` and, while they drain, closes every connection it answers on."""

    def __init__(self, app: AsgiApp, requests: RunningRequests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._requests.enter()
        try:
            await self._app(scope, receive, _closing(send) if self._requests.draining else send)
        finally:
            self._requests.leave()


def _closing(send: Send) -> Send:
    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
            message = {**message, "headers": [*kept, _CLOSE]}
        await send(message)

    return closing
