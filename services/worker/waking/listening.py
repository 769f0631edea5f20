"""Listening for wake-ups: an arq worker that runs one function, made anew whenever it ends.

arq ends on any error of Redis and on anything in its queue that it can't stand. Wake-ups are only hints, so a queue in
which something is broken is thrown away whole: a lost wake-up costs one poll of Postgres.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.worker import Worker, func
from redis.exceptions import RedisError

from qg_bundle.bounded_parser import ResponseTooLarge
from qg_bundle.link import open_link
from qg_bundle.wake import FUNCTION_NAME, JOB_ID, QUEUE_NAME, JobRefused, deserialize, serialize
from qg_telemetry.events import Observe, QueuedJobRefused
from worker.supervised import Supervised

POLL_DELAY_S = 0.2
REDIS_TIMEOUT_S = 2.0
CONNECTIONS_MAX = 4
JOBS_AT_ONCE_MAX = 2
JOB_TIMEOUT_S = 5
RESPONSE_BYTES_MAX = 1_048_576
"""A wake-up has less than a hundred bytes; what Redis says of itself has some thousands."""

TRIES_MAX = 1_000_000
"""A run of `wake` that a killed worker left behind must not use up the tries of the next one."""

LOOKS_APART_S = 0.1
"""Whoever can write to Redis makes a worker look into Postgres no more often than that."""

HEALTH_EVERY_S = 3_600
PAUSE_AFTER_END_S = 1.0

_PLANTED = ("WRONGTYPE", "not an integer")
"""What Redis says of keys that hold something else than arq puts there."""


class Waking:
    """Calls `on_wake` whenever somebody asked for a look; `start()` begins, `close()` ends it."""

    def __init__(self, redis_url: str, on_wake: Callable[[], None], observe: Observe) -> None:
        self._redis_url = redis_url
        self._on_wake = on_wake
        self._observe = observe
        self._woken_at = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._loop = Supervised("waking", self._listen, every_s=PAUSE_AFTER_END_S, timeout_s=None, observe=observe)
        # What it has to say of jobs that it can't run is said by `QueuedJobRefused`, without a traceback each.
        logging.getLogger("arq").setLevel(logging.CRITICAL)

    def start(self) -> None:
        self._loop.start()

    async def close(self) -> None:
        await self._loop.close()
        if self._look is not None:
            self._look.cancel()

    async def _listen(self) -> None:
        """Until an error ends it. Raises one of `link.LINK_ERRORS` when Redis is away."""
        link = open_link(
            self._redis_url,
            timeout_s=REDIS_TIMEOUT_S,
            connections_max=CONNECTIONS_MAX,
            response_bytes_max=RESPONSE_BYTES_MAX,
        )
        pool = ArqRedis(
            link.connection_pool,
            job_serializer=serialize,
            job_deserializer=self._read,
            default_queue_name=QUEUE_NAME,
        )
        worker = self._worker(pool)
        try:
            await worker.main()
        except OSError:
            raise
        except Exception as error:
            planted = isinstance(error, ResponseTooLarge) or any(sign in str(error) for sign in _PLANTED)
            if isinstance(error, RedisError) and not planted:
                raise  # Redis is away, is a replica, is full, or lets this user do too little
            # Whatever was planted, the queue must go on.
            self._observe(QueuedJobRefused(reason="queue_broken", detail=type(error).__name__))
            # With the mark that it is being run, which would hide wake-ups for a quarter of a minute.
            await link.unlink(QUEUE_NAME, f"{job_key_prefix}{JOB_ID}", f"{in_progress_key_prefix}{JOB_ID}")
        finally:
            await _end(worker)
            with contextlib.suppress(Exception):
                await link.aclose()
                await link.connection_pool.disconnect()

    def _worker(self, pool: ArqRedis) -> Worker:
        async def wake(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:  # noqa: ARG001 - arq's signature
            self._wake()

        async def listening(ctx: dict[Any, Any]) -> None:  # noqa: ARG001 - as above
            self._loop.works()

        return Worker(
            functions=[func(wake, name=FUNCTION_NAME)],
            queue_name=QUEUE_NAME,
            redis_pool=pool,
            handle_signals=False,
            keep_result=0,
            max_jobs=JOBS_AT_ONCE_MAX,
            max_tries=TRIES_MAX,
            retry_jobs=False,
            job_timeout=JOB_TIMEOUT_S,
            poll_delay=POLL_DELAY_S,
            health_check_interval=HEALTH_EVERY_S,
            job_serializer=serialize,
            job_deserializer=self._read,
            log_results=False,
            on_startup=listening,
        )

    def _wake(self) -> None:
        """Let a look come now, or `LOOKS_APART_S` after the one before; one, however many ask meanwhile."""
        if self._look is None:
            wait_s = self._woken_at + LOOKS_APART_S - time.monotonic()
            self._look = asyncio.get_running_loop().call_later(max(wait_s, 0.0), self._tell)

    def _tell(self) -> None:
        self._look = None
        self._woken_at = time.monotonic()
        self._on_wake()

    def _read(self, body: bytes) -> dict[str, Any]:
        try:
            return deserialize(body)
        except JobRefused as error:
            self._observe(QueuedJobRefused(reason="not_a_wake_up", detail=str(error)))
            raise


async def _end(worker: Worker) -> None:
    """arq's own `close` waits for its tasks without end and passes their errors on."""
    tasks = [*worker.tasks.values(), *worker.job_tasks.values()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=JOB_TIMEOUT_S)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # looked at, or asyncio complains of it
