"""Waiting for what will be true soon: by looking again and again, never for longer than said."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_AGAIN_S = 0.01
# A look that costs much (a connection to Postgres, a long log) is made less often: the machine has other things to do.
_PAUSE_PER_LOOK = 4
_PAUSE_MAX_S = 0.2


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 15.0) -> float:
    """Seconds until `condition` held; the test fails after `timeout_s`, naming `what` it waited for."""
    started = time.monotonic()
    looked = started
    while not condition():
        assert time.monotonic() - started < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(_pause_after(time.monotonic() - looked))
        looked = time.monotonic()
    return time.monotonic() - started


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], timeout_s: float = 15.0) -> float:
    """The same on an event loop, which goes on meanwhile; `condition` may have to be awaited."""
    started = time.monotonic()
    while True:
        looked = time.monotonic()
        holds = condition()
        if not isinstance(holds, bool):
            holds = await holds
        now = time.monotonic()
        taken_s = now - started
        if holds:
            return taken_s
        assert taken_s < timeout_s, f"waited {timeout_s} s in vain"
        await asyncio.sleep(_pause_after(now - looked))


def _pause_after(look_s: float) -> float:
    return min(max(LOOK_AGAIN_S, look_s * _PAUSE_PER_LOOK), _PAUSE_MAX_S)
