"""One listener: Granian's embedded server, which runs in this process and in this event loop.

The ordinary Granian server forks a worker that outlives a killed main process; the embedded one has no second process,
so the end of the pid is the end of the service. HTTP/1.1 only, no websockets, no lifespan.
"""

import asyncio
import socket
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from qg_serving.asgi import AsgiApp
from qg_serving.limits import ListenLimits

# Granian logs to the root logger, which the service has taken over; it gets no handler of its own.
_LOGGING = {
    "handlers": {},
    "formatters": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": [], "propagate": True}},
}


class AddressInUse(OSError):
    """Something else listens there already (or the address is not one of this machine's)."""


class Listener:
    """Serves `app` at `host:port` from `start` to `stop`."""

    def __init__(self, app: AsgiApp, host: str, port: int, limits: ListenLimits) -> None:
        self._host = host
        self._port = port
        self._server: Any = Server(
            app,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=limits.backlog,
            backpressure=limits.connections_max,
            http1_settings=HTTP1Settings(
                header_read_timeout=limits.idle_timeout_ms, max_buffer_size=limits.head_bytes_max
            ),
            log_level=LogLevels.error,
            log_dictconfig=_LOGGING,
        )
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen. Raises `AddressInUse`."""
        refuse_shared_address(self._host, self._port)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(), name=f"listener:{self._port}")

    @property
    def serving(self) -> asyncio.Task[None]:
        """The task that serves; it ends only after `stop`, or when the server broke."""
        if self._serving is None:
            raise RuntimeError("the listener was not started")
        return self._serving

    async def stop(self, timeout_s: float) -> None:
        """Accept nothing more, close idle connections, wait for running requests at most `timeout_s`."""
        if self._serving is None:
            return
        self._server.stop()
        await asyncio.wait([self._serving], timeout=max(0.0, timeout_s))


def refuse_shared_address(host: str, port: int) -> None:
    """Raise `AddressInUse` when something listens there.

    Granian binds with SO_REUSEPORT: without this, a second service on the same port would start without a word and take
    half of the first one's connections.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressInUse(error.errno, f"can't listen at {host}:{port}: {error.strerror}") from None
