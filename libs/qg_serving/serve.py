"""Listen, wait to be asked to stop, drain, stop: the life of a service in one place."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from qg_serving.asgi import AsgiApp
from qg_serving.drain import Draining
from qg_serving.limits import OPS_LIMITS, ListenLimits
from qg_serving.listeners import Listener
from qg_serving.stop_signals import StopSignals

OPS_STOP_TIMEOUT_S = 1.0


class ServeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How serving ended.

    `reason` is the signal's name, `stopped` (the caller's event) or `listener_broken`; `requests_dropped` were still
    running when the grace period ended.
    """

    reason: str
    requests_dropped: int
    drain_ms: float


async def serve(
    app: Draining,
    *,
    host: str,
    port: int,
    ops_app: AsgiApp,
    ops_host: str,
    ops_port: int,
    shutdown_grace_s: float,
    drain_s: float = 0.0,
    limits: ListenLimits | None = None,
    on_started: Callable[[], None] = lambda: None,
    on_drain: Callable[[str], None] = lambda _reason: None,
    stop: asyncio.Event | None = None,
) -> ServeOutcome:
    """Serve `app` and `ops_app` until SIGTERM, SIGINT or `stop`; returns when both listeners are closed.

    Then: `on_drain(reason)` (become not ready), `drain_s` seconds of serving on with `Connection: close` so that load
    balancers notice, then no new connections, and running requests get what is left of `shutdown_grace_s`, which
    counts from the signal and covers everything. A second signal skips the waiting. The ops port answers to the end.
    Raises `AddressInUse`.
    """
    main = Listener(app, host, port, limits or ListenLimits())
    ops = Listener(ops_app, ops_host, ops_port, OPS_LIMITS)
    with StopSignals() as signals:
        ops.start()
        try:
            main.start()
            on_started()
            reason = await _until_asked(signals, stop, main, ops)
            started = time.monotonic()
            deadline = started + shutdown_grace_s
            app.start_draining()
            on_drain(reason)
            await _unless(signals.urged, asyncio.sleep(min(drain_s, shutdown_grace_s)))
            await _unless(signals.urged, main.stop(deadline - time.monotonic()))
            await _unless(signals.urged, app.idle(deadline - time.monotonic()))
            drain_ms = (time.monotonic() - started) * 1_000
        finally:
            await main.stop(0)
            await ops.stop(OPS_STOP_TIMEOUT_S)
    return ServeOutcome(reason=reason, requests_dropped=app.running, drain_ms=round(drain_ms, 1))


async def _until_asked(signals: StopSignals, stop: asyncio.Event | None, main: Listener, ops: Listener) -> str:
    loop = asyncio.get_running_loop()
    asked = loop.create_task(signals.asked.wait())
    waiting: list[asyncio.Task[Any]] = [asked]
    if stop is not None:
        waiting.append(loop.create_task(stop.wait()))
    done, _ = await asyncio.wait([*waiting, main.serving, ops.serving], return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if asked in done:
        return signals.name
    return "stopped" if stop is not None and stop.is_set() else "listener_broken"


async def _unless(urged: asyncio.Event, work: Coroutine[Any, Any, Any]) -> None:
    """Wait for `work`, but no longer than until `urged` is set."""
    loop = asyncio.get_running_loop()
    working, urging = loop.create_task(work), loop.create_task(urged.wait())
    await asyncio.wait([working, urging], return_when=asyncio.FIRST_COMPLETED)
    for task in (working, urging):
        task.cancel()
    await asyncio.gather(working, urging, return_exceptions=True)
