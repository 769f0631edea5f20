"""The wiring of one data-plane node: builds every part, hands them to each other, serves, and takes them down again."""

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from importlib.metadata import version

from data_plane import collector
from data_plane.access_log.parts import make_recorder
from data_plane.catalogs.catalog import Catalog, CatalogBuilder
from data_plane.gateway import Gateway
from data_plane.pipeline import Pipeline
from data_plane.refreshing.memory import Memory
from data_plane.refreshing.refresh import Refresher
from data_plane.refreshing.reporting import Reporting
from data_plane.refreshing.staleness import Staleness
from data_plane.refreshing.state_file import StateFile
from data_plane.requests.admission import Admission
from data_plane.requests.authenticate import Authentication
from data_plane.requests.concurrency import NodeGate
from data_plane.requests.disconnects import Disconnects
from data_plane.requests.live import Live
from data_plane.requests.password_waits import PasswordWaits
from data_plane.requests.refuse_flood import FloodLimits, RefuseFlood
from data_plane.requests.request_log import RequestLog
from data_plane.requests.request_traces import RequestTraces
from data_plane.requests.response_headers import ResponseHeaders
from data_plane.settings import Settings
from data_plane.snapshots.parts import Snapshots
from data_plane.stored_settings import StoredSettings
from qg_bundle.link import open_link
from qg_core.client_address import compile_is_trusted
from qg_oracle.pools import Pools
from qg_security.authenticators import AuthParts
from qg_security.passwords import PasswordChecker
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Verifier
from qg_security.tags import seal_key_ids
from qg_security.verified_cache import VerifiedCache
from qg_serving import serve
from qg_serving.process_names import kept_name
from qg_telemetry.events import ServiceDraining, ServiceStarted, ServiceStopped, retold
from qg_telemetry.metrics import Metrics
from qg_telemetry.observer import Observer
from qg_telemetry.ops import ops_app

NODE_NAME_FILE = "node_name"
POOLS_CLOSE_S = 5.0


class Node:
    """All parts of one node. Make it inside the event loop; `await run()` serves until asked to stop."""

    def __init__(self, settings: Settings, observe: Observer) -> None:
        self._settings = settings
        self._observe = observe
        self._draining = False
        self.checker = PasswordChecker(threads=settings.bcrypt_threads, queued_max=settings.bcrypt_queue_max)
        self.cache = VerifiedCache(settings.verified_credentials_max)
        self.pools = Pools(lambda said: observe(retold(said)), hosts_allowed=settings.oracle_hosts_allowed)
        self.redis = open_link(settings.redis_url)
        self.refresher = Refresher(
            redis=self.redis,
            gateway_id=settings.gateway_id,
            verifier=Ed25519Verifier(settings.bundle_verify_keys),
            builder=CatalogBuilder(Sealer(settings.bundle_seal_keys), AuthParts(self.checker, self.cache)),
            memory=Memory(StateFile(settings.state_dir, settings.gateway_id), observe),
            staleness=Staleness(settings.staleness_max_s),
            observe=observe,
            on_swap=self._on_swap,
        )
        self.disconnects = Disconnects()
        self.snapshots = Snapshots(
            self.redis,
            self.refresher,
            self.disconnects,
            observe,
            gateway_id=settings.gateway_id,
            seal_keys=settings.bundle_seal_keys,
            state_dir=settings.state_dir,
            disk_bytes_max=settings.snapshots_disk_bytes_max,
            cache_bytes=settings.snapshot_cache_bytes,
            in_flight_max=settings.requests_in_flight_max,
        )
        node = kept_name(settings.node_name, settings.state_dir, NODE_NAME_FILE)
        self.reporting = Reporting(
            self.redis,
            self.refresher,
            node=node,
            version=version("querygateway"),
            seal_key_ids=seal_key_ids(settings.bundle_seal_keys),
            verify_key_ids=Ed25519Verifier(settings.bundle_verify_keys).key_ids,
            also=self.snapshots.follower,
        )
        self.gate = NodeGate(settings.requests_in_flight_max)
        self.recorder = (
            make_recorder(
                settings.state_dir,
                settings.access_log_bytes_max,
                redis=self.redis,
                node=node,
                seal_keys=settings.bundle_seal_keys,
                observe=observe,
            )
            if settings.access_log
            else None
        )
        self.request_log = RequestLog(observe.requests, self.recorder, self._request_traces())
        self.headers = ResponseHeaders(security_headers=settings.security_headers, cors_origins=settings.cors_origins)
        self.gateway = self._gateway()
        _bind_states(observe.metrics, self)

    async def run(self) -> None:
        """Take the newest catalog there is, serve until SIGTERM or SIGINT, close everything."""
        settings = self._settings
        watching = asyncio.create_task(self.disconnects.run())
        try:
            await self.refresher.boot()
            self.refresher.start()
            self.reporting.start()
            await self.snapshots.follower.boot()
            self.snapshots.follower.start()
            if self.recorder is not None:
                await self.recorder.start()
            collector.settle()
            started = time.monotonic()
            outcome = await serve(
                self.gateway,
                self.gate,
                host=settings.host,
                port=settings.port,
                ops_app=ops_app(self.ready, self._observe.metrics),
                ops_host=settings.ops_host,
                ops_port=settings.ops_port,
                shutdown_grace_s=settings.shutdown_grace_s,
                on_started=self._tell_started,
                on_drain=self._drain,
            )
            self.request_log.flush()
            self._observe(
                ServiceStopped(
                    requests_dropped=outcome.requests_dropped,
                    duration_ms=round((time.monotonic() - started) * 1000, 1),
                )
            )
        finally:
            watching.cancel()
            self.request_log.flush()
            if self.recorder is not None:
                await self.recorder.close()
            await self.snapshots.follower.close()
            await self.reporting.close()
            await self.refresher.close()
            await self.pools.close(POOLS_CLOSE_S)
            self.checker.close()
            with contextlib.suppress(Exception):
                await self.redis.aclose()

    def ready(self) -> tuple[bool, Mapping[str, object]]:
        """Ready once a verified catalog is active, until this node is being stopped."""
        ready = self.refresher.current is not None and not self._draining
        return ready, {"state": self.refresher.state.value, "revision": self.refresher.revision}

    def _gateway(self) -> Gateway:
        settings = self._settings
        headers = self.headers
        limits = FloodLimits(
            window_s=settings.sign_in_failures_window_s,
            passwords_per_credential_max=settings.sign_in_failures_credential_max,
            passwords_per_address_max=settings.sign_in_failures_address_max,
            forgeries_per_address_max=settings.sign_in_forgeries_address_max,
        )
        # Quarters: whoever tries passwords leaves most places to everybody else, and a part of the queue to API keys.
        waits = PasswordWaits(
            waiting_max=max(1, settings.requests_in_flight_max // 4),
            checks_max=max(1, settings.bcrypt_queue_max * 3 // 4),
            checks_per_network_max=max(1, settings.bcrypt_queue_max // 4),
        )
        live = Live(self.pools, self.disconnects, settings.query_timeout_max_ms)
        pipeline = Pipeline(
            self.refresher,
            Admission(self._observe),
            Authentication(RefuseFlood(limits), waits, self._observe),
            live,
            self.snapshots.answers,
            cors=headers.cors,
        )
        self.stored_settings = StoredSettings(
            log=self._observe.log,
            headers=headers,
            pipeline=pipeline,
            live=live,
            cors_origins=settings.cors_origins,
            observe=self._observe,
        )
        return Gateway(
            pipeline,
            self.refresher,
            self.gate,
            headers,
            settings.trusted_proxies,
            self.request_log,
            self._observe,
        )

    def _request_traces(self) -> RequestTraces | None:
        traces = self._observe.traces
        return None if traces is None else RequestTraces(traces, compile_is_trusted(self._settings.trusted_proxies))

    def _on_swap(self, catalog: Catalog) -> None:
        self.stored_settings.apply(catalog)
        self.pools.retire([self.pools.fingerprint(target) for target in catalog.targets])
        self.snapshots.follower.wake()

    def _tell_started(self) -> None:
        settings = self._settings
        self._observe(
            ServiceStarted(
                version=version("querygateway"),
                host=settings.host,
                port=settings.port,
                ops_port=settings.ops_port,
                pid=os.getpid(),
            )
        )

    def _drain(self, reason: str) -> None:
        self._draining = True
        self.headers.close_connections()
        self.refresher.drain()
        self._observe(ServiceDraining(signal=reason))


def _bind_states(metrics: Metrics, node: Node) -> None:
    """What a scrape shows of this node's state."""
    refresher = node.refresher

    def of_catalog(count: str) -> float:
        catalog = refresher.current
        return 0 if catalog is None else len(catalog.routes if count == "routes" else catalog.unusable)

    def of_pools(field: str) -> dict[str, float]:
        totals: dict[str, float] = {}
        for pool in node.pools.statistics():
            totals[pool.connection_id] = totals.get(pool.connection_id, 0) + getattr(pool, field)
        return totals

    metrics.bind("qg_ready", lambda: float(node.ready()[0]))
    metrics.bind("qg_revision", lambda: refresher.revision)
    metrics.bind("qg_head_revision", lambda: refresher.newest_known)
    metrics.bind("qg_beacon_age_seconds", lambda: refresher.age_s(time.time()))
    metrics.bind("qg_catalog_endpoints", lambda: of_catalog("routes"))
    metrics.bind("qg_catalog_unusable", lambda: of_catalog("unusable"))
    metrics.bind("qg_requests_running", lambda: node.gate.running)
    metrics.bind("qg_password_checks_queued", lambda: node.checker.queued)
    metrics.bind("qg_verified_cache_entries", lambda: len(node.cache))
    metrics.bind("qg_pool_sessions_open", lambda: of_pools("open"))
    metrics.bind("qg_pool_sessions_busy", lambda: of_pools("busy"))
    metrics.bind("qg_pool_waiting", lambda: of_pools("waiting"))
    node.snapshots.bind_states(metrics)
    recorder = node.recorder
    if recorder is not None:
        metrics.bind("qg_access_segment_bytes", lambda: recorder.segment_bytes)
        metrics.bind("qg_access_events_waiting", lambda: recorder.events_waiting)
        metrics.bind("qg_access_events_dropped_total", lambda: recorder.events_dropped)
        metrics.bind("qg_access_events_gap_total", lambda: recorder.events_gap)
        metrics.bind("qg_access_outstanding_bytes", lambda: recorder.outstanding_bytes)
