"""`/api/v1/admin/health`: live and ready, without sign-in."""

from litestar import Response, Router, get
from msgspec import Struct

from control_plane.health.service import HealthWatch
from control_plane.routing import answer, open_to_all


class LiveAnswer(Struct, frozen=True):
    status: str


class ReadyAnswer(Struct, frozen=True):
    """`status` is ok, or degraded (503) without Postgres; `checks` say ok or unavailable each."""

    status: str
    checks: dict[str, str]


def health_routes(watch: HealthWatch) -> Router:
    """Live and ready."""

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

    return Router("/api/v1/admin/health", route_handlers=[live, ready])
