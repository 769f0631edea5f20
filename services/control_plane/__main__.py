"""`querygateway control-plane`: settings, observer, wiring, serving, in this order."""

import asyncio
import os
from collections.abc import Mapping
from importlib.metadata import version

from sqlalchemy.exc import SQLAlchemyError

from control_plane.app import ControlPlane, create_app
from control_plane.seeding import DatabaseUnfit
from control_plane.settings import Settings, settings_from
from qg_serving import AddressInUse, Draining, RunningRequests, ServeOutcome, serve
from qg_serving import run as run_loop
from qg_telemetry.events import ServiceDraining, ServiceStarted, ServiceStopped, StartFailed
from qg_telemetry.observer import Observer, make_observer
from qg_telemetry.ops import ops_app
from qg_telemetry.sink import LineSink

EXIT_FAILED = 1


def run(environ: Mapping[str, str]) -> int:
    """Serve until asked to stop; the exit status. Raises `SettingsInvalid`."""
    settings = settings_from(environ)
    sink = LineSink()
    observer = make_observer("control-plane", settings.log_level, settings.traces, sink)
    try:
        return run_loop(_main(settings, observer, sink))
    finally:
        observer.close()
        sink.close()


async def _main(settings: Settings, observer: Observer, sink: LineSink) -> int:
    sink.attach(asyncio.get_running_loop())
    control_plane = create_app(settings, observer, log=observer.log, traces=observer.traces)
    try:
        await control_plane.start()
        outcome = await _serve(control_plane, settings, observer)
    except (DatabaseUnfit, AddressInUse, SQLAlchemyError, OSError, TimeoutError) as error:
        observer(StartFailed(error=type(error).__name__, detail=(str(error).splitlines() or [""])[0][:300]))
        return EXIT_FAILED
    finally:
        await control_plane.close()
    observer(ServiceStopped(requests_dropped=outcome.requests_dropped, duration_ms=outcome.drain_ms))
    return EXIT_FAILED if outcome.reason == "listener_broken" else 0


async def _serve(control_plane: ControlPlane, settings: Settings, observer: Observer) -> ServeOutcome:
    draining: list[str] = []
    requests = RunningRequests()

    def ready() -> tuple[bool, dict[str, object]]:
        health = control_plane.health.last
        return health.ready and not draining, {**health.checks}

    def on_drain(reason: str) -> None:
        draining.append(reason)
        observer(ServiceDraining(signal=reason))

    observer.metrics.bind("qg_ready", lambda: float(ready()[0]))
    observer.metrics.bind("qg_requests_running", lambda: requests.running)
    health = control_plane.health
    observer.metrics.bind("qg_revision", lambda: health.last.head)
    observer.metrics.bind("qg_activation_pending", lambda: health.last.head - health.last.activated)
    observer.metrics.bind("qg_password_checks_queued", lambda: control_plane.passwords.queued)
    return await serve(
        Draining(control_plane.app, requests),
        requests,
        host=settings.host,
        port=settings.port,
        ops_app=ops_app(ready, observer.metrics),
        ops_host=settings.ops_host,
        ops_port=settings.ops_port,
        shutdown_grace_s=settings.shutdown_grace_s,
        on_started=lambda: observer(
            ServiceStarted(
                version=version("querygateway"),
                host=settings.host,
                port=settings.port,
                ops_port=settings.ops_port,
                pid=os.getpid(),
            )
        ),
        on_drain=on_drain,
    )


if __name__ == "__main__":
    raise SystemExit(run(os.environ))
