"""Listen, drain when asked to, stop when asked to: the life of a service in one place."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from qg_serving.asgi import AsgiApp
from qg_serving.limits import OPS_LIMITS, ListenLimits
from qg_serving.listeners import Listener
from qg_serving.stop_signals import DRAIN_SIGNAL, StopSignals

OPS_STOP_TIMEOUT_S = 1.0


class ServeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How serving ended.

    `reason` is the signal's name, `stopped` (the caller's event) or `listener_broken`; `requests_dropped` (or what else
    a service does) were still running when the grace period ended.
    """

    reason: str
    requests_dropped: int
    drain_ms: float


class Drains(Protocol):
    """Work that can be asked to come to its end: requests (`RunningRequests`), or what else a service runs."""

    @property
    def running(self) -> int:
        """How much of it runs now."""
        ...

    def start_draining(self) -> None:
        """From now on begin nothing new."""
        ...

    async def idle(self, timeout_s: float) -> bool:
        """Wait until nothing runs, at most `timeout_s`; whether that came true."""
        ...


async def serve(
    app: AsgiApp,
    requests: Drains,
    *,
    host: str,
    port: int,
    ops_app: AsgiApp,
    ops_host: str,
    ops_port: int,
    shutdown_grace_s: float,
    limits: ListenLimits | None = None,
    on_started: Callable[[], None] = lambda: None,
    on_drain: Callable[[str], None] = lambda _reason: None,
    stop: asyncio.Event | None = None,
) -> ServeOutcome:
    """Serve `app` and `ops_app` until SIGTERM, SIGINT or `stop`; returns when both listeners are closed.

    `requests` counts what `app` runs.

    Then: `on_drain(reason)` (become not ready), no new connections, and running requests get `shutdown_grace_s`. A
    second signal skips the waiting. The ops port answers to the end. SIGUSR1 comes before, where a load balancer is to
    notice first: `on_drain("SIGUSR1")`, and everything is served on with `Connection: close`. Raises `AddressInUse`.
    """
    main = Listener(app, host, port, limits or ListenLimits())
    ops = Listener(ops_app, ops_host, ops_port, OPS_LIMITS)
    return await _serve(requests, main, ops, shutdown_grace_s, on_started, on_drain, stop)


async def serve_ops(
    work: Drains,
    *,
    ops_app: AsgiApp,
    ops_host: str,
    ops_port: int,
    shutdown_grace_s: float,
    on_started: Callable[[], None] = lambda: None,
    on_drain: Callable[[str], None] = lambda _reason: None,
    stop: asyncio.Event | None = None,
) -> ServeOutcome:
    """The same for a service that nobody but operators calls: `work` runs beside the ops port, and is drained."""
    ops = Listener(ops_app, ops_host, ops_port, OPS_LIMITS)
    return await _serve(work, None, ops, shutdown_grace_s, on_started, on_drain, stop)


async def _serve(
    work: Drains,
    main: Listener | None,
    ops: Listener,
    shutdown_grace_s: float,
    on_started: Callable[[], None],
    on_drain: Callable[[str], None],
    stop: asyncio.Event | None,
) -> ServeOutcome:
    with StopSignals() as signals:
        ops.start()
        try:
            if main is not None:
                main.start()
            on_started()
            reason = await _until_asked(signals, signals.drained, stop, main, ops)
            work.start_draining()
            on_drain(reason)
            if reason == DRAIN_SIGNAL.name:
                reason = await _until_asked(signals, None, stop, main, ops)
            started = time.monotonic()
            deadline = started + shutdown_grace_s
            if main is not None:
                await _unless(signals.urged, main.stop(deadline - time.monotonic()))
            await _unless(signals.urged, work.idle(deadline - time.monotonic()))
            drain_ms = (time.monotonic() - started) * 1_000
        finally:
            if main is not None:
                await main.stop(0)
            await ops.stop(OPS_STOP_TIMEOUT_S)
    return ServeOutcome(reason=reason, requests_dropped=work.running, drain_ms=round(drain_ms, 1))


async def _until_asked(
    signals: StopSignals,
    drained: asyncio.Event | None,
    stop: asyncio.Event | None,
    main: Listener | None,
    ops: Listener,
) -> str:
    """Wait for a reason to stop or, with `drained`, to drain."""
    loop = asyncio.get_running_loop()
    events = [event for event in (signals.asked, stop, drained) if event is not None]
    waiting: list[asyncio.Task[Any]] = [loop.create_task(event.wait()) for event in events]
    listening = [listener.serving for listener in (main, ops) if listener is not None]
    await asyncio.wait([*waiting, *listening], return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if signals.asked.is_set():
        return signals.name
    if stop is not None and stop.is_set():
        return "stopped"
    if drained is not None and drained.is_set():
        return DRAIN_SIGNAL.name
    return "listener_broken"


async def _unless(urged: asyncio.Event, work: Coroutine[Any, Any, Any]) -> None:
    """Wait for `work`, but no longer than until `urged` is set."""
    loop = asyncio.get_running_loop()
    working, urging = loop.create_task(work), loop.create_task(urged.wait())
    await asyncio.wait([working, urging], return_when=asyncio.FIRST_COMPLETED)
    for task in (working, urging):
        task.cancel()
    await asyncio.gather(working, urging, return_exceptions=True)
