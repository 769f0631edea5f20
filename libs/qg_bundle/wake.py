"""Waking workers: the client side of arq, which carries nothing but "look into Postgres now".

What is to be run stands in Postgres, and every worker looks there once a second anyway: a wake-up that is lost costs
that second. So there is one fixed job, at most one of it waits at a time however many ask and however long no worker
is there, and it expires soon. The worker must keep no result (`keep_result=0`): arq refuses to queue a job whose
result it still has. msgpack through msgspec stands in for arq's pickle, which runs whatever it reads.
"""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
from arq.connections import ArqRedis

from qg_bundle.link import open_link

QUEUE_NAME = "qg:wake"
FUNCTION_NAME = "wake"
JOB_ID = "qg-wake"

JOB_BYTES_MAX = 1_024
"""The one job has less than 40 bytes."""

EXPIRES_AFTER = timedelta(seconds=10)
"""After that somebody has polled; and a job that a killed worker left behind blocks no other for longer."""

WAKE_TIMEOUT_S = 0.5
CONNECTIONS_MAX = 2


class JobRefused(ValueError):
    """The bytes in the queue are not the one job that is ever put there: a pickle, a foreign job, or too many."""


class _Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """arq's form of a job: try, function, arguments, keyword arguments, when it was queued (Unix ms)."""

    f: str
    et: int
    t: int | None = None
    a: tuple[()] = ()
    k: dict[str, None] = {}


_decoder = msgspec.msgpack.Decoder(_Job)


def serialize(job: dict[str, Any]) -> bytes:
    """arq's `job_serializer`. Raises `JobRefused` when it gets too large, and what msgspec raises."""
    body = msgspec.msgpack.encode(job)
    if len(body) > JOB_BYTES_MAX:
        raise JobRefused(f"a job may have at most {JOB_BYTES_MAX} bytes")
    return body


def deserialize(body: bytes) -> dict[str, Any]:
    """arq's `job_deserializer`: reads the wake-up and nothing else. Raises `JobRefused`."""
    if len(body) > JOB_BYTES_MAX:
        raise JobRefused(f"a job may have at most {JOB_BYTES_MAX} bytes")
    try:
        job = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Not the message: it could quote what somebody planted.
        raise JobRefused("not a job of this gateway") from None
    if job.f != FUNCTION_NAME or job.k:
        raise JobRefused("not a job of this gateway")
    return {"t": job.t, "f": job.f, "a": job.a, "k": job.k, "et": job.et}


class Waker:
    """Asks one worker to look now."""

    def __init__(self, redis_url: str, *, timeout_s: float = WAKE_TIMEOUT_S) -> None:
        """Connects when first used."""
        self._timeout_s = timeout_s
        self._link = open_link(redis_url, timeout_s=timeout_s, connections_max=CONNECTIONS_MAX)
        self._arq = ArqRedis(
            self._link.connection_pool,
            job_serializer=serialize,
            job_deserializer=deserialize,
            default_queue_name=QUEUE_NAME,
        )

    async def wake(self) -> bool:
        """Whether the wake-up reached Redis, or one was waiting there; takes `timeout_s` at most and never raises."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._arq.enqueue_job(FUNCTION_NAME, _job_id=JOB_ID, _expires=EXPIRES_AFTER)
        except Exception:  # noqa: BLE001 - whatever it is, every worker polls
            return False
        return True

    async def close(self) -> None:
        await self._link.aclose()
