"""Wiring: everything the control plane is made of, built once, started and closed in one place."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Litestar, Response
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from control_plane.edge.failures import answer_of
from control_plane.edge.front import Front
from control_plane.edge.headers import ResponseHeaders
from control_plane.edge.visit import visit_of
from control_plane.endpoints.probing import Probes
from control_plane.endpoints.statements import PolicyCheck
from control_plane.gateway_settings.applied import AppliedSettings
from control_plane.health.service import HealthWatch
from control_plane.input.requests import AnyRequest
from control_plane.publishing.activator import Pace
from control_plane.publishing.parts import PublishingParts, build_publishing
from control_plane.routers import build_routers
from control_plane.routing import ROLE, Routes, role_guard
from control_plane.schedules.changed_producers import ChangedProducers
from control_plane.seeding import claim_database, seed_admin
from control_plane.settings import Settings
from control_plane.sign_in.gate import SignInGate
from control_plane.sign_in.limits import FailureLedger
from control_plane.sign_in.service import SignIn
from control_plane.sql_check import SqlChecker
from qg_activation.fault_points import fault_points_from
from qg_bundle.link import open_link
from qg_bundle.wake import Waker
from qg_core.client_address import compile_client_address, compile_is_trusted
from qg_security.admin_tokens import admin_keys
from qg_security.passwords import PasswordChecker
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Signer, Ed25519Verifier
from qg_store.engine import SessionFactory, make_engine, make_sessions
from qg_telemetry.events import Observe
from qg_telemetry.log import Log
from qg_telemetry.traces import Traces


class ControlPlane(msgspec.Struct, frozen=True):
    """`app` is the ASGI application; `start()` before serving it, `close()` after."""

    app: Front
    routes: Litestar
    settings: Settings
    engine: AsyncEngine
    sessions: SessionFactory
    sealer: Sealer
    redis: Redis
    waker: Waker
    passwords: PasswordChecker
    checker: SqlChecker
    probes: Probes
    publishing: PublishingParts
    health: HealthWatch
    applied_settings: AppliedSettings

    async def start(self) -> None:
        """Claim the database, seed the first admin, begin to publish.

        Raises `DatabaseUnfit`, and what SQLAlchemy raises while Postgres is away.
        """
        await claim_database(self.sessions, self.settings.gateway_id)
        await seed_admin(self.sessions, self.sealer, self.settings.admin_username, self.settings.admin_password_hash)
        await self.checker.start()
        await self.applied_settings.look()
        self.applied_settings.start()
        await self.publishing.publishing.begin()
        self.publishing.activator.start()
        self.health.start()

    async def close(self) -> None:
        """Stop everything; safe after a start that failed."""
        await self.health.close()
        await self.applied_settings.close()
        await self.publishing.activator.close()
        await self.checker.stop()
        await self.probes.close()
        self.passwords.close()
        await self.waker.close()
        await self.redis.aclose()
        await self.engine.dispose()


def create_app(
    settings: Settings,
    observe: Observe,
    *,
    pace: Pace | None = None,
    checker: SqlChecker | None = None,
    log: Log | None = None,
    traces: Traces | None = None,
) -> ControlPlane:
    """Build the control plane inside a running event loop; nothing connects until `start()`.

    `log` follows the stored log level.
    """
    engine = make_engine(
        settings.database_url, pool_max=settings.database_connections_max, application="querygateway-control-plane"
    )
    sessions = make_sessions(engine)
    sealer = Sealer(settings.encryption_keys)
    signer = Ed25519Signer(settings.bundle_signing_key)
    redis = open_link(settings.redis_url)
    waker = Waker(settings.redis_url)
    checker = checker or SqlChecker()
    publishing = build_publishing(
        gateway_id=settings.gateway_id,
        sessions=sessions,
        redis=redis,
        signer=signer,
        verifier=Ed25519Verifier([*dict.fromkeys((signer.public_key, *settings.bundle_verify_keys))]),
        at_rest=sealer,
        bundle_seal_keys=settings.bundle_seal_keys,
        observe=observe,
        statement_check=PolicyCheck(checker),
        dependent_runs=ChangedProducers(waker.wake),
        faults=fault_points_from({"QG_FAULT_POINT": settings.fault_point, "APP_ENV": settings.app_env}),
        pace=pace,
    )
    passwords = PasswordChecker(threads=settings.bcrypt_threads, queued_max=settings.bcrypt_queue_max)
    sign_in = SignIn(
        sessions=sessions,
        sealer=sealer,
        passwords=passwords,
        failures=FailureLedger(sessions, settings.failure_limits),
        token_keys=admin_keys(settings.jwt_secret_keys),
        token_expires_s=settings.admin_token_expires_s,
        observe=observe,
    )
    probes = Probes(sealer, settings.oracle_hosts_allowed)
    health = HealthWatch(sessions, redis, publishing.activator)
    headers = ResponseHeaders(security_headers=settings.security_headers, cors_origins=settings.cors_origins)
    applied_settings = AppliedSettings(
        sessions=sessions, headers=headers, cors_origins=settings.cors_origins, log=log, observe=observe
    )
    routes = _routes(
        build_routers(
            settings=settings,
            sessions=sessions,
            sealer=sealer,
            redis=redis,
            sign_in=sign_in,
            publishing=publishing,
            checker=checker,
            probes=probes,
            health=health,
            wake=waker.wake,
            settings_stored=applied_settings.look,
        ),
        observe,
    )
    return ControlPlane(
        app=Front(
            routes,
            gate=SignInGate(sign_in),
            headers=headers,
            client_address=compile_client_address(settings.trusted_proxies),
            is_trusted=compile_is_trusted(settings.trusted_proxies),
            observe=observe,
            traces=traces,
        ),
        routes=routes,
        settings=settings,
        engine=engine,
        sessions=sessions,
        sealer=sealer,
        redis=redis,
        waker=waker,
        passwords=passwords,
        checker=checker,
        probes=probes,
        publishing=publishing,
        health=health,
        applied_settings=applied_settings,
    )


def _routes(routers: Sequence[Routes], observe: Observe) -> Litestar:
    def answer_error(request: AnyRequest, error: Exception) -> Response[bytes]:
        answer = answer_of(error, visit_of(request.scope), observe)
        headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
        media_type = headers.pop("content-type")
        return Response(answer.body, status_code=answer.status, headers=headers, media_type=media_type)

    handlers: dict[Any, Any] = {Exception: answer_error}
    app = Litestar(
        route_handlers=list(routers),
        guards=[role_guard],
        exception_handlers=handlers,
        openapi_config=None,
        logging_config=None,
        # The front has counted the bytes already.
        request_max_body_size=None,
        debug=False,
    )
    refuse_undeclared(app)
    return app


def refuse_undeclared(app: Litestar) -> None:
    """Raise unless every route says who may call it: a forgotten one would be shut, but nobody would notice."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if ROLE not in handler.opt and handler.fn.__module__.startswith("control_plane"):
                raise RuntimeError(f"{handler} declares no role")
