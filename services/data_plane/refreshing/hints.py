"""Hints over pub/sub: a reason to look now instead of at the next tick. Losing them costs nothing but that tick."""

import asyncio
import contextlib

from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.link import LINK_ERRORS, end_tasks, narrow_link

LISTEN_S = 5.0
SILENCE_MAX_S = 60.0
"""Without any message for so long the subscription is made anew: a half-open connection hears nothing for ever."""

AGAIN_AFTER_S = 1.0
SPACING_S = 0.02

MESSAGE_BYTES_MAX = 65_536
"""What is heard at once: messages have some fifty bytes, and several may come together."""


class Hints:
    """Listens in the background; `wait` returns at a hint, a `wake()` or the timeout."""

    def __init__(self, redis: Redis) -> None:
        # Nobody can ask for a short message: whoever may publish decides what is sent to every node.
        self._redis = narrow_link(redis, MESSAGE_BYTES_MAX)
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Stop listening."""
        await end_tasks(self._task)
        with contextlib.suppress(*LINK_ERRORS):
            await self._redis.aclose()

    def wake(self) -> None:
        """As if a hint had come."""
        self._heard.set()

    async def wait(self, timeout_s: float) -> None:
        """Until a hint or `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._heard.wait()
        self._heard.clear()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(*LINK_ERRORS):
                await self._listen_once()
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _listen_once(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(keys.HINT)
            # What was published before this moment was not heard.
            self._heard.set()
            silent_since = loop.time()
            while loop.time() - silent_since < SILENCE_MAX_S:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=LISTEN_S)
                if message is not None:
                    silent_since = loop.time()
                    self._heard.set()
                    # Whoever floods the channel fills Redis' buffer for us, not our time.
                    await asyncio.sleep(SPACING_S)
