"""Waiting for what will be true soon: by looking again and again, never for longer than said."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_AGAIN_S = 0.01


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 15.0) -> float:
    """Seconds until `condition` held; the test fails after `timeout_s`, naming `what` it waited for."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(LOOK_AGAIN_S)
    return time.monotonic() - started


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], timeout_s: float = 15.0) -> float:
    """The same on an event loop, which goes on meanwhile; `condition` may have to be awaited."""
    started = time.monotonic()
    while True:
        holds = condition()
        if not isinstance(holds, bool):
            holds = await holds
        taken_s = time.monotonic() - started
        if holds:
            return taken_s
        assert taken_s < timeout_s, f"waited {timeout_s} s in vain"
        await asyncio.sleep(LOOK_AGAIN_S)
