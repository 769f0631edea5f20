"""`querygateway worker`: reads the settings and runs one worker until it is asked to stop."""

import asyncio
import os
import sys
from collections.abc import Mapping

from qg_serving import AddressInUse
from qg_serving import run as run_loop
from qg_telemetry.observer import make_observer
from qg_telemetry.sink import LineSink
from worker.app import Worker
from worker.settings import Settings, settings_from

EXIT_FAILED = 1


def run(environ: Mapping[str, str]) -> int:
    """Work until SIGTERM or SIGINT; the exit status. Raises `SettingsInvalid` with every problem."""
    settings = settings_from(environ)
    try:
        return run_loop(_run(settings))
    except AddressInUse as error:
        print(f"querygateway: {error}", file=sys.stderr)  # noqa: T201  # before anything is done
    except _StateDirUnusable as error:
        print(f"querygateway: STATE_DIR can't be used: {error}", file=sys.stderr)  # noqa: T201  # as above
    return EXIT_FAILED


class _StateDirUnusable(Exception):
    pass


async def _run(settings: Settings) -> int:
    sink = LineSink()
    sink.attach(asyncio.get_running_loop())
    try:
        level = "DEBUG" if settings.debug else settings.log_level
        observe = make_observer("worker", level, settings.traces, sink)
        try:
            worker = Worker(settings, observe)
        except OSError as error:
            raise _StateDirUnusable(error.strerror or type(error).__name__) from error
        try:
            outcome = await worker.run()
        finally:
            observe.close()
        # Only a worker that could not begin stops itself.
        return EXIT_FAILED if outcome.reason in {"listener_broken", "stopped"} else 0
    finally:
        sink.close()


if __name__ == "__main__":
    raise SystemExit(run(os.environ))
