"""`/api/v1/openapi.json`: JSON only; pages that load scripts from elsewhere are not served."""

from litestar import Litestar, Response, get

from control_plane.input.requests import AnyRequest
from control_plane.openapi.document import openapi_document
from control_plane.roles import Role
from control_plane.routing import Routes, needs


def openapi_routes() -> Routes:
    """The document, for signed-in admins."""
    made: dict[int, bytes] = {}

    @get("/openapi.json", opt=needs(Role.VIEWER))
    async def openapi(request: AnyRequest) -> Response[bytes]:
        """This document."""
        app: Litestar = request.app
        if id(app) not in made:
            made[id(app)] = openapi_document(app)
        return Response(made[id(app)], media_type="application/json")

    return Routes("/api/v1", route_handlers=[openapi])
