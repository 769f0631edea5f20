"""`/api/v1/admin/endpoints`."""

from litestar import Response, delete, get, post, put
from litestar.params import FromPath

from control_plane.edge.visit import actor_of
from control_plane.endpoints.preview import Previews
from control_plane.endpoints.service import Endpoints
from control_plane.endpoints.views import (
    EndpointCreate,
    EndpointQuery,
    EndpointUpdate,
    EndpointView,
    PreviewAnswer,
    PreviewRequest,
    endpoint_view,
)
from control_plane.input.kinds import row_id
from control_plane.input.requests import AnyRequest, read_body, read_query
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs, no_content


def endpoint_routes(service: Endpoints, previews: Previews) -> Routes:
    """Managing endpoints and trying statements."""

    @get("/", opt=needs(Role.VIEWER, query=EndpointQuery, answer=list[EndpointView]))
    async def list_endpoints(request: AnyRequest) -> Response[bytes]:
        """All endpoints by path."""
        wanted = read_query(request, EndpointQuery)
        rows = await service.every(active_only=wanted.active_only, public=wanted.public)
        return answer([endpoint_view(row) for row in rows])

    @post("/", opt=needs(Role.EDITOR, body=EndpointCreate, answer=EndpointView))
    async def create_endpoint(request: AnyRequest) -> Response[bytes]:
        """Add an endpoint."""
        wanted = await read_body(request, EndpointCreate)
        saved = await service.create(wanted, actor_of(request.scope))
        return answer(endpoint_view(saved.endpoint, saved.warnings), status=201, revision=saved.revision)

    @post("/preview", opt=needs(Role.EDITOR, body=PreviewRequest, answer=PreviewAnswer), status_code=200)
    async def preview(request: AnyRequest) -> Response[bytes]:
        """Run a statement and see its columns and first rows; nothing is saved."""
        wanted = await read_body(request, PreviewRequest)
        return answer(await previews.run(wanted, actor_of(request.scope)))

    @get("/{endpoint_id:str}", opt=needs(Role.VIEWER, answer=EndpointView))
    async def get_endpoint(endpoint_id: FromPath[str]) -> Response[bytes]:
        """One endpoint."""
        return answer(endpoint_view(await service.one(row_id(endpoint_id))))

    @put("/{endpoint_id:str}", opt=needs(Role.EDITOR, body=EndpointUpdate, answer=EndpointView))
    async def update_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
        """Change an endpoint; omitted fields stay."""
        identity = row_id(endpoint_id)
        wanted = await read_body(request, EndpointUpdate)
        saved = await service.update(identity, wanted, actor_of(request.scope))
        return answer(endpoint_view(saved.endpoint, saved.warnings), revision=saved.revision)

    @delete("/{endpoint_id:str}", opt=needs(Role.EDITOR))
    async def delete_endpoint(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[None]:
        """Remove an endpoint."""
        return no_content(await service.delete(row_id(endpoint_id), actor_of(request.scope)))

    return Routes(
        "/api/v1/admin/endpoints",
        route_handlers=[list_endpoints, create_endpoint, preview, get_endpoint, update_endpoint, delete_endpoint],
    )
