"""`querygateway data-plane`: reads the settings and runs one node until it is asked to stop."""

import asyncio
import os
import sys
from collections.abc import Mapping

from data_plane.app import Node
from data_plane.settings import Settings, settings_from
from qg_serving import AddressInUse
from qg_serving import run as run_loop
from qg_telemetry.observer import make_observer
from qg_telemetry.sink import LineSink

EXIT_FAILED = 1


def run(environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT; the exit status. Raises `SettingsInvalid` with every problem."""
    settings = settings_from(environ)
    try:
        run_loop(_run(settings))
    except AddressInUse as error:
        print(f"querygateway: {error}", file=sys.stderr)  # noqa: T201  # before anything is served
        return EXIT_FAILED
    return 0


async def _run(settings: Settings) -> None:
    sink = LineSink()
    sink.attach(asyncio.get_running_loop())
    try:
        level = "DEBUG" if settings.debug else settings.log_level
        observe = make_observer("data-plane", level, settings.traces, sink)
        try:
            await Node(settings, observe).run()
        finally:
            observe.close()
    finally:
        sink.close()


if __name__ == "__main__":
    raise SystemExit(run(os.environ))
