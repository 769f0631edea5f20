"""The access-log sink of one worker: its loops, put together."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

import msgspec
from redis.asyncio import Redis

from qg_bundle.access.persisted import forget_watermarks
from qg_bundle.link import LINK_ERRORS
from qg_core.signatures import Tagger
from qg_store.engine import SessionFactory
from qg_store.repositories import access_sources
from qg_telemetry.events import AccessWatermarksRestored, Observe
from qg_telemetry.metrics.states import Reader
from worker.access_log.consumer import Consumer
from worker.access_log.partitions import Partitions
from worker.access_log.stream import EntryStream
from worker.access_log.tally import Tally
from worker.access_log.watermarks import Put, Watermarks
from worker.supervised import Supervised

GATHER_S = 0.1
"""Between rounds: entries gather meanwhile, and a transaction stores several."""

ROUND_TIMEOUT_S = 60.0
SWEEP_TIMEOUT_S = 20.0
PARTITIONS_TIMEOUT_S = 600.0
CLOSE_WAIT_S = 5.0


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often the loops run and how long they wait, in seconds."""

    idle_max_s: float = 15.0
    """How long an entry is pending before it is taken from its consumer."""

    take_over_every_s: float = 5.0
    sweep_every_s: float = 5.0
    partitions_every_s: float = 3_600.0


class AccessSink:
    """Begin with `start()`, end with `close()`; several sinks, in one process or many, share the work.

    `batch_tags` verify what nodes send (`ACCESS_BATCH_CONTEXT`), `persisted_tags` sign how far it is stored
    (`ACCESS_PERSISTED_CONTEXT`). `retention_days` is asked once an hour. Nothing that Redis, Postgres or a node does
    ends it.
    """

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        redis: Redis,
        batch_tags: Tagger,
        persisted_tags: Tagger,
        observe: Observe,
        retention_days: Callable[[], int],
        worker: str,
        pace: Pace | None = None,
    ) -> None:
        pace = pace or Pace()
        self._sessions = sessions
        self._redis = redis
        self._observe = observe
        self._tally = Tally()
        self._stream = EntryStream(redis, worker, idle_max_s=pace.idle_max_s)
        self._watermarks = Watermarks(redis, persisted_tags)
        self._consumer = Consumer(
            stream=self._stream,
            sessions=sessions,
            watermarks=self._watermarks,
            batch_tags=batch_tags,
            observe=observe,
            tally=self._tally,
            take_over_every_s=pace.take_over_every_s,
        )
        self._partitions = Partitions(sessions, observe, retention_days)
        self._started = False
        self._closing = False
        self._ended = asyncio.Event()
        self._partitions_made = False
        self._swept: frozenset[str] = frozenset()
        self._rounds = Supervised(
            "access_log", self._round, every_s=GATHER_S, timeout_s=ROUND_TIMEOUT_S, observe=observe
        )
        self._loops = (
            self._rounds,
            Supervised(
                "access_watermarks", self._sweep, every_s=pace.sweep_every_s, timeout_s=SWEEP_TIMEOUT_S, observe=observe
            ),
            Supervised(
                "access_partitions",
                self._keep_partitions,
                every_s=pace.partitions_every_s,
                timeout_s=PARTITIONS_TIMEOUT_S,
                observe=observe,
            ),
        )

    def states(self) -> Mapping[str, Reader]:
        """What metrics show, by the names of `qg_telemetry.metrics.STATES`."""
        return self._tally.states()

    def start(self) -> None:
        """Begin, with the partitions and whatever waits in the stream."""
        self._started = True
        for loop in self._loops:
            loop.start()

    async def close(self) -> None:
        """End: what is being stored is seen through, if that takes no longer than `CLOSE_WAIT_S`.

        What is not stored then stays pending, and another worker takes it over.
        """
        self._closing = True
        if not self._started:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WAIT_S):
                await self._rounds_end()
        for loop in self._loops:
            await loop.close()
        with contextlib.suppress(*LINK_ERRORS):
            await self._stream.forget_consumers(also_this=True)

    async def _round(self) -> None:
        if self._closing and self._consumer.is_idle:
            self._ended.set()
            # Until the loop is ended: what would be taken now would have to wait for another worker.
            await asyncio.Event().wait()
        if not self._partitions_made:
            await self._partitions.make_ahead()
            self._partitions_made = True
        await self._consumer.round()

    async def _rounds_end(self) -> None:
        self._rounds.wake()
        await self._ended.wait()

    async def _sweep(self) -> None:
        """Put again what Redis lost of the watermarks, look how much waits, forget consumers that are gone."""
        async with self._sessions() as session:
            persisted = await access_sources.watermarks(session)
        put = await self._watermarks.publish(persisted)
        # What another worker has just committed it is about to publish itself: that is no loss.
        missing = sum(why is Put.MISSING and log_id in self._swept for log_id, why in put.items())
        altered = sum(why is Put.ALTERED for why in put.values())
        self._swept = frozenset(persisted)
        if missing or altered:
            self._observe(AccessWatermarksRestored(missing=missing, altered=altered))
        await self._stream.forget_consumers()
        self._tally.backlog = await self._stream.backlog()

    async def _keep_partitions(self) -> None:
        await self._partitions.make_ahead()
        forgotten = await self._partitions.remove_aged()
        await forget_watermarks(self._redis, forgotten)
