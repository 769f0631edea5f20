"""The routes of the admin API, each over the service behind it."""

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from control_plane.access_log.api import access_log_routes
from control_plane.access_log.service import AccessLog
from control_plane.admins.api import admin_routes
from control_plane.admins.service import Admins
from control_plane.audit.api import audit_routes
from control_plane.audit.service import AuditLog
from control_plane.auth_methods.api import auth_method_routes
from control_plane.auth_methods.service import AuthMethods
from control_plane.connections.api import connection_routes
from control_plane.connections.service import Connections
from control_plane.credentials.api import credential_routes
from control_plane.credentials.service import Credentials
from control_plane.endpoints.api import endpoint_routes
from control_plane.endpoints.preview import Previews
from control_plane.endpoints.probing import Probes
from control_plane.endpoints.service import Endpoints
from control_plane.gateway_settings.api import gateway_settings_routes
from control_plane.gateway_settings.service import GatewaySettings
from control_plane.health.api import health_routes
from control_plane.health.dashboard import Dashboard
from control_plane.health.service import HealthWatch
from control_plane.nodes.api import node_routes
from control_plane.nodes.service import Fleet
from control_plane.openapi.api import openapi_routes
from control_plane.publishing.parts import PublishingParts
from control_plane.revisions.api import revision_routes
from control_plane.revisions.service import Revisions
from control_plane.routing import Routes
from control_plane.schedules.api import schedule_routes
from control_plane.schedules.service import Schedules
from control_plane.schedules.stored import StoredSnapshots
from control_plane.settings import Settings
from control_plane.sign_in.api import sign_in_routes
from control_plane.sign_in.service import SignIn
from control_plane.sql_check import SqlChecker
from qg_security.sealing import Sealer
from qg_store.engine import SessionFactory


def build_routers(
    *,
    settings: Settings,
    sessions: SessionFactory,
    sealer: Sealer,
    redis: Redis,
    sign_in: SignIn,
    publishing: PublishingParts,
    checker: SqlChecker,
    probes: Probes,
    health: HealthWatch,
    wake: Callable[[], Awaitable[object]],
    settings_stored: Callable[[], Awaitable[None]],
) -> list[Routes]:
    """All of them. After commit `wake` lets a worker look for runs, and `settings_stored` lets settings act here."""
    writing = publishing.publishing
    credentials = Credentials(sessions=sessions, publishing=writing, sealer=sealer)
    return [
        sign_in_routes(sign_in),
        admin_routes(Admins(sessions=sessions, publishing=writing, sealer=sealer)),
        connection_routes(
            Connections(
                sessions=sessions,
                publishing=writing,
                sealer=sealer,
                hosts_allowed=settings.oracle_hosts_allowed,
                on_changed=probes.forget,
            )
        ),
        auth_method_routes(AuthMethods(sessions=sessions, publishing=writing, sealer=sealer), credentials),
        credential_routes(credentials),
        endpoint_routes(
            Endpoints(sessions=sessions, publishing=writing, checker=checker, probes=probes),
            Previews(sessions=sessions, checker=checker, probes=probes),
        ),
        schedule_routes(Schedules(sessions=sessions, publishing=writing, wake=wake), StoredSnapshots(sessions)),
        health_routes(health, Dashboard(sessions=sessions, redis=redis, health=health)),
        node_routes(Fleet(redis, writing)),
        revision_routes(Revisions(sessions), publishing.rollback),
        audit_routes(AuditLog(sessions)),
        access_log_routes(AccessLog(sessions)),
        gateway_settings_routes(
            GatewaySettings(
                sessions=sessions,
                publishing=writing,
                own={"log_level": settings.log_level, "cors_origins": settings.cors_origins},
                on_committed=settings_stored,
            )
        ),
        openapi_routes(),
    ]
