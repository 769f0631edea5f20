"""`/api/v1/admin/health`: live and ready, without sign-in; the dashboard, with."""

from litestar import Response, get

from control_plane.edge.visit import actor_of
from control_plane.health.dashboard import Dashboard
from control_plane.health.service import HealthWatch
from control_plane.health.views import DashboardAnswer, LiveAnswer, ReadyAnswer, dashboard_view
from control_plane.input.requests import AnyRequest
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs, open_to_all


def health_routes(watch: HealthWatch, dashboard: Dashboard) -> Routes:
    """Live, ready and the dashboard."""

    @get("/live", opt=open_to_all(answer=LiveAnswer))
    async def live() -> Response[bytes]:
        """The process runs."""
        return answer(LiveAnswer("ok"))

    @get("/ready", opt=open_to_all(answer=ReadyAnswer))
    async def ready() -> Response[bytes]:
        """The control plane can do its work."""
        health = await watch.look()
        return answer(
            ReadyAnswer("ok" if health.ready else "degraded", health.checks), status=200 if health.ready else 503
        )

    @get("/dashboard", opt=needs(Role.VIEWER, answer=DashboardAnswer))
    async def show_dashboard(request: AnyRequest) -> Response[bytes]:
        """The whole gateway at one look."""
        return answer(dashboard_view(await dashboard.look(), actor_of(request.scope).role))

    return Routes("/api/v1/admin/health", route_handlers=[live, ready, show_dashboard])
