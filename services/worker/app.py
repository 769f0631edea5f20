"""The wiring of one worker: builds every part, hands them to each other, runs them, and takes them down again."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.metadata import version

from qg_bundle.access.reader import RESPONSE_BYTES_MAX as ACCESS_RESPONSE_BYTES_MAX
from qg_bundle.link import end_tasks, open_link
from qg_bundle.snapshots.reader import SnapshotReader
from qg_bundle.snapshots.writer import SnapshotWriter
from qg_oracle.pools import Pools
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Verifier
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, SNAPSHOT_CONTEXT, TagKeys
from qg_serving import ServeOutcome, serve_ops
from qg_serving.process_names import kept_name
from qg_store.engine import make_engine, make_sessions
from qg_telemetry.events import ServiceDraining, ServiceStopped, UnforeseenError, WorkerStarted, retold
from qg_telemetry.observer import Observer
from qg_telemetry.ops import ops_app
from worker.access_log import AccessSink
from worker.database_watch import DatabaseWatch
from worker.reconcile import Reconcile
from worker.runs.claiming import Claiming
from worker.runs.definitions import Definitions
from worker.runs.execution import Execution
from worker.runs.heartbeat import Heartbeat
from worker.runs.live import LiveRuns
from worker.runs.reaping import Reaping
from worker.runs.run_traces import traced
from worker.scheduler.planning import Planning
from worker.settings import Settings
from worker.snapshots.copying import Copying
from worker.snapshots.production import Production
from worker.snapshots.spool import Spool
from worker.snapshots.storing import Storing
from worker.stored_settings import StoredSettings
from worker.waking.listening import Waking

NAME_FILE = "worker_name"
POOLS_CLOSE_S = 5.0
PART_CLOSE_S = 20.0
"""Longer than any part takes that closes as it should."""


class Worker:
    """All parts of one worker. Make it inside the event loop; `await run()` works until asked to stop.

    Raises `OSError` when STATE_DIR can't be used.
    """

    def __init__(self, settings: Settings, observe: Observer) -> None:
        self._settings = settings
        self._observe = observe
        of_runs = observe if observe.traces is None else traced(observe, observe.traces)
        self._draining = False
        self._ending: asyncio.Task[None] | None = None
        self._unable = asyncio.Event()
        self.name = kept_name(settings.worker_name, settings.state_dir, NAME_FILE)
        self.engine = make_engine(
            settings.database_url, pool_max=settings.database_connections_max, application="querygateway-worker"
        )
        self.sessions = make_sessions(self.engine)
        self.redis = open_link(settings.redis_url)
        self.pools = Pools(lambda said: observe(retold(said)), hosts_allowed=settings.oracle_hosts_allowed)
        self.spool = Spool(settings.state_dir)
        self.stored = StoredSettings(settings, observe.log, observe)
        self.watch = DatabaseWatch(self.sessions, settings.gateway_id, self.stored, observe)
        self.live = LiveRuns()
        snapshot_tags = TagKeys(settings.bundle_seal_keys, SNAPSHOT_CONTEXT)
        snapshot_writer = SnapshotWriter(self.redis)
        self.claiming = Claiming(
            sessions=self.sessions,
            worker=self.name,
            live=self.live,
            execution=Execution(
                sessions=self.sessions,
                live=self.live,
                definitions=Definitions(self.sessions, Sealer(settings.bundle_seal_keys)),
                spool=self.spool,
                production=Production(self.pools, worker_name=self.name, bytes_max=settings.snapshot_bytes_max),
                storing=Storing(
                    self.sessions,
                    snapshot_tags,
                    gateway_id=settings.gateway_id,
                    copies_bytes_max=settings.snapshots_redis_bytes_max,
                    retention_count=lambda: self.stored.snapshot_retention_count,
                ),
                copying=Copying(snapshot_writer, observe),
                timeout_max_ms=lambda: self.stored.query_timeout_max_ms,
                observe=of_runs,
            ),
            slots_max=lambda: self.stored.max_job_concurrency,
            observe=observe,
        )
        self.heartbeat = Heartbeat(
            database_url=settings.database_url,
            live=self.live,
            on_beat=self.claiming.take_beat,
            on_silence=self.claiming.take_silence,
            observe=observe,
        )
        self.planning = Planning(self.sessions, self.claiming.wake, observe)
        self.reaping = Reaping(self.sessions, self.claiming.wake, observe)
        self.waking = Waking(settings.redis_url, self.claiming.wake, observe)
        self.reconcile = Reconcile(
            sessions=self.sessions,
            redis=self.redis,
            gateway_id=settings.gateway_id,
            verifier=Ed25519Verifier(settings.bundle_verify_keys),
            snapshot_reader=SnapshotReader(self.redis, snapshot_tags, settings.gateway_id),
            snapshot_writer=snapshot_writer,
            snapshots_redis_bytes_max=settings.snapshots_redis_bytes_max,
            observe=observe,
        )
        # A connection pool of its own: it waits in Redis for what comes next.
        self.access_redis = open_link(settings.redis_url, response_bytes_max=ACCESS_RESPONSE_BYTES_MAX)
        self.access_log = AccessSink(
            sessions=self.sessions,
            redis=self.access_redis,
            batch_tags=TagKeys(settings.bundle_seal_keys, ACCESS_BATCH_CONTEXT),
            persisted_tags=TagKeys(settings.bundle_seal_keys, ACCESS_PERSISTED_CONTEXT),
            observe=observe,
            retention_days=lambda: self.stored.access_log_retention_days,
            worker=self.name,
        )
        self._bind_states()

    async def run(self) -> ServeOutcome:
        """Wait for the database, work until SIGTERM or SIGINT, finish or hand back what runs, close everything.

        Raises `AddressInUse`.
        """
        settings = self._settings
        beginning: asyncio.Task[None] | None = None
        try:
            self.watch.start()
            beginning = asyncio.create_task(self._begin_when_fit())
            outcome = await serve_ops(
                self.claiming,
                ops_app=ops_app(self.ready, self._observe.metrics),
                ops_host=settings.ops_host,
                ops_port=settings.ops_port,
                shutdown_grace_s=settings.shutdown_grace_s,
                on_started=self._tell_started,
                on_drain=self._drain,
                stop=self._unable,
            )
        finally:
            await end_tasks(beginning, self._ending)
            await self._close()
        self._observe(ServiceStopped(requests_dropped=outcome.requests_dropped, duration_ms=outcome.drain_ms))
        return outcome

    def ready(self) -> tuple[bool, Mapping[str, object]]:
        """Ready while Postgres is there and fit, until this worker is being stopped."""
        ready = self.watch.present and not self._draining
        return ready, {"database": "ok" if self.watch.present else "away", "draining": self._draining}

    async def _begin_when_fit(self) -> None:
        await self.watch.fit.wait()
        try:
            self.heartbeat.start()
            self.claiming.start()
            self.reaping.start()
            self.planning.start()
            self.waking.start()
            self.reconcile.start()
            self.access_log.start()
        except Exception as error:  # noqa: BLE001 - ended rather than ready and idle: whoever supervises starts it anew
            self._observe(UnforeseenError.of("worker.begin", error))
            self._unable.set()

    async def _close(self) -> None:
        """One part after the other; one that can't be closed, or not in time, keeps no other one open."""
        for name, close in self._closers():
            try:
                async with asyncio.timeout(PART_CLOSE_S):
                    await close()
            except Exception as error:  # noqa: BLE001 - the process ends: whoever could hear of it reads the log
                self._observe(UnforeseenError.of(f"worker.close.{name}", error))
        # What is lost of these is lost with the servers behind them.
        for close in (self.access_redis.aclose, self.redis.aclose, self.engine.dispose):
            with contextlib.suppress(Exception):
                async with asyncio.timeout(PART_CLOSE_S):
                    await close()

    def _closers(self) -> Iterable[tuple[str, Callable[[], Awaitable[object]]]]:
        yield "waking", self.waking.close
        yield "planning", self.planning.close
        # The heartbeat beats on until the last run has come to its end or was handed back.
        yield "claiming", self.claiming.close
        yield "heartbeat", self.heartbeat.close
        yield "reaping", self.reaping.close
        yield "access_log", self.access_log.close
        yield "reconcile", self.reconcile.close
        yield "watch", self.watch.close
        yield "pools", lambda: self.pools.close(POOLS_CLOSE_S)
        yield "spool", lambda: asyncio.to_thread(self.spool.close)

    def _bind_states(self) -> None:
        def of_pools(field: str) -> dict[str, float]:
            totals: dict[str, float] = {}
            for pool in self.pools.statistics():
                totals[pool.connection_id] = totals.get(pool.connection_id, 0) + getattr(pool, field)
            return totals

        metrics = self._observe.metrics
        metrics.bind("qg_ready", lambda: float(self.ready()[0]))
        metrics.bind("qg_job_runs_live", lambda: len(self.live))
        metrics.bind("qg_job_slots", lambda: self.stored.max_job_concurrency)
        metrics.bind("qg_heartbeat_age_seconds", lambda: self.heartbeat.age_s)
        for name, read in self.access_log.states().items():
            metrics.bind(name, read)
        metrics.bind("qg_pool_sessions_open", lambda: of_pools("open"))
        metrics.bind("qg_pool_sessions_busy", lambda: of_pools("busy"))
        metrics.bind("qg_pool_waiting", lambda: of_pools("waiting"))

    def _tell_started(self) -> None:
        self._observe(
            WorkerStarted(
                version=version("querygateway"),
                worker=self.name,
                ops_port=self._settings.ops_port,
                pid=os.getpid(),
            )
        )

    def _drain(self, reason: str) -> None:
        self._draining = True
        # A wake-up that this worker takes now would be lost for the others.
        self._ending = asyncio.create_task(self.waking.close())
        self._observe(ServiceDraining(signal=reason))
