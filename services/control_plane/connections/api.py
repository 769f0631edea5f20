"""`/api/v1/admin/connections`."""

from litestar import Response, delete, get, post, put
from litestar.params import FromPath

from control_plane.connections.service import Connections
from control_plane.connections.views import (
    ActiveQuery,
    ConnectionCreate,
    ConnectionUpdate,
    ConnectionView,
    TestAnswer,
    connection_view,
)
from control_plane.edge.visit import actor_of
from control_plane.input.kinds import row_id
from control_plane.input.requests import AnyRequest, read_body, read_query, refuse_body
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs, no_content


def connection_routes(service: Connections) -> Routes:
    """Managing and testing connections."""

    @get("/", opt=needs(Role.VIEWER, query=ActiveQuery, answer=list[ConnectionView]))
    async def list_connections(request: AnyRequest) -> Response[bytes]:
        """All connections."""
        wanted = read_query(request, ActiveQuery)
        return answer([connection_view(row) for row in await service.every(active_only=wanted.active_only)])

    @post("/", opt=needs(Role.EDITOR, body=ConnectionCreate, answer=ConnectionView))
    async def create_connection(request: AnyRequest) -> Response[bytes]:
        """Add a connection."""
        wanted = await read_body(request, ConnectionCreate)
        row, revision = await service.create(wanted, actor_of(request.scope))
        return answer(connection_view(row), status=201, revision=revision)

    @get("/{connection_id:str}", opt=needs(Role.VIEWER, answer=ConnectionView))
    async def get_connection(connection_id: FromPath[str]) -> Response[bytes]:
        """One connection."""
        return answer(connection_view(await service.one(row_id(connection_id))))

    @put("/{connection_id:str}", opt=needs(Role.EDITOR, body=ConnectionUpdate, answer=ConnectionView))
    async def update_connection(request: AnyRequest, connection_id: FromPath[str]) -> Response[bytes]:
        """Change a connection; omitted fields stay."""
        identity = row_id(connection_id)
        wanted = await read_body(request, ConnectionUpdate)
        row, revision = await service.update(identity, wanted, actor_of(request.scope))
        return answer(connection_view(row), revision=revision)

    @delete("/{connection_id:str}", opt=needs(Role.EDITOR))
    async def delete_connection(request: AnyRequest, connection_id: FromPath[str]) -> Response[None]:
        """Remove a connection that no endpoint uses."""
        return no_content(await service.delete(row_id(connection_id), actor_of(request.scope)))

    @post("/{connection_id:str}/test", opt=needs(Role.EDITOR, answer=TestAnswer), status_code=200)
    async def test_connection(request: AnyRequest, connection_id: FromPath[str]) -> Response[bytes]:
        """Sign in to the database once and report."""
        identity = row_id(connection_id)
        await refuse_body(request)
        report = await service.test(identity, actor_of(request.scope))
        return answer(
            TestAnswer(
                success=report.success,
                message=report.message,
                duration_ms=report.duration_ms,
                oracle_version=report.oracle_version,
                warnings=report.warnings,
            )
        )

    return Routes(
        "/api/v1/admin/connections",
        route_handlers=[
            list_connections,
            create_connection,
            get_connection,
            update_connection,
            delete_connection,
            test_connection,
        ],
    )
