"""`/api/v1/admin/settings`."""

from litestar import Response, get, put
from litestar.params import FromPath

from control_plane.edge.visit import actor_of
from control_plane.gateway_settings.service import GatewaySettings
from control_plane.gateway_settings.views import SettingsUpdate, SettingUpdate, SettingView, setting_view
from control_plane.input.requests import AnyRequest, read_body
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs
from qg_core.gateway_settings import RESTART_KEYS


def gateway_settings_routes(service: GatewaySettings) -> Routes:
    """The settings that admins store."""

    @get("/", opt=needs(Role.VIEWER, answer=list[SettingView]))
    async def list_settings() -> Response[bytes]:
        """Every known setting, stored or not."""
        return answer([setting_view(state) for state in await service.every()])

    @get("/restart-keys", opt=needs(Role.VIEWER, answer=list[str]))
    async def list_restart_keys() -> Response[bytes]:
        """The keys whose value only acts after a restart."""
        return answer(RESTART_KEYS)

    @get("/{key:str}", opt=needs(Role.VIEWER, answer=SettingView))
    async def get_setting(key: FromPath[str]) -> Response[bytes]:
        """One setting."""
        return answer(setting_view(await service.one(key)))

    @put("/", opt=needs(Role.ADMIN, body=SettingsUpdate, answer=list[SettingView]))
    async def update_settings(request: AnyRequest) -> Response[bytes]:
        """Store several values: all or none."""
        wanted = await read_body(request, SettingsUpdate)
        states, revision = await service.put(wanted.settings, actor_of(request.scope))
        return answer([setting_view(state) for state in states], revision=revision)

    @put("/{key:str}", opt=needs(Role.ADMIN, body=SettingUpdate, answer=SettingView))
    async def update_setting(request: AnyRequest, key: FromPath[str]) -> Response[bytes]:
        """Store one value; null takes the stored one away."""
        wanted = await read_body(request, SettingUpdate)
        state, revision = await service.put_one(key, wanted.value, actor_of(request.scope))
        return answer(setting_view(state), revision=revision)

    return Routes(
        "/api/v1/admin/settings",
        route_handlers=[list_settings, list_restart_keys, get_setting, update_settings, update_setting],
    )
