"""`/api/v1/admin/admins`: role admin only."""

from litestar import Response, delete, get, post, put
from litestar.params import FromPath

from control_plane.admins.service import Admins
from control_plane.admins.views import AdminCreate, AdminUpdate, AdminView, admin_view
from control_plane.edge.visit import actor_of
from control_plane.input.kinds import row_id
from control_plane.input.requests import AnyRequest, read_body
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs, no_content


def admin_routes(service: Admins) -> Routes:
    """Managing admins."""

    @get("/", opt=needs(Role.ADMIN, answer=list[AdminView]))
    async def list_admins() -> Response[bytes]:
        """All admins."""
        return answer([admin_view(admin) for admin in await service.every()])

    @post("/", opt=needs(Role.ADMIN, body=AdminCreate, answer=AdminView))
    async def create_admin(request: AnyRequest) -> Response[bytes]:
        """Add an admin."""
        wanted = await read_body(request, AdminCreate)
        admin, revision = await service.create(wanted, actor_of(request.scope))
        return answer(admin_view(admin), status=201, revision=revision)

    @get("/{admin_id:str}", opt=needs(Role.ADMIN, answer=AdminView))
    async def get_admin(admin_id: FromPath[str]) -> Response[bytes]:
        """One admin."""
        return answer(admin_view(await service.one(row_id(admin_id))))

    @put("/{admin_id:str}", opt=needs(Role.ADMIN, body=AdminUpdate, answer=AdminView))
    async def update_admin(request: AnyRequest, admin_id: FromPath[str]) -> Response[bytes]:
        """Change password or role."""
        identity = row_id(admin_id)
        wanted = await read_body(request, AdminUpdate)
        admin, revision = await service.update(identity, wanted, actor_of(request.scope))
        return answer(admin_view(admin), revision=revision)

    @delete("/{admin_id:str}", opt=needs(Role.ADMIN))
    async def delete_admin(request: AnyRequest, admin_id: FromPath[str]) -> Response[None]:
        """Remove an admin."""
        return no_content(await service.delete(row_id(admin_id), actor_of(request.scope)))

    return Routes(
        "/api/v1/admin/admins", route_handlers=[list_admins, create_admin, get_admin, update_admin, delete_admin]
    )
