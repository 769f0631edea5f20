"""`/api/v1/admin/auth`: the methods themselves."""

from datetime import UTC, datetime

from litestar import Response, delete, get, post, put
from litestar.params import FromPath

from control_plane.auth_methods.service import AuthMethods
from control_plane.auth_methods.views import (
    IssueToken,
    MethodCreate,
    MethodUpdate,
    MethodView,
    MethodWithKeyAnswer,
    MethodWithKeyCreate,
    RotateAnswer,
    TokenAnswer,
    method_view,
)
from control_plane.credentials.service import Credentials
from control_plane.edge.visit import actor_of
from control_plane.input.kinds import row_id
from control_plane.input.requests import AnyRequest, read_body, refuse_body
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs, no_content

KEY_NOTE = "This key is shown only now. Send it in the X-Api-Key header."
TOKEN_NOTE = "This token is shown only now. Send it as Authorization: Bearer <token>."  # noqa: S105 - a sentence


def auth_method_routes(service: AuthMethods, issuing: Credentials) -> Routes:
    """Managing auth methods."""

    @get("/", opt=needs(Role.VIEWER, answer=list[MethodView]))
    async def list_methods() -> Response[bytes]:
        """All auth methods."""
        return answer([method_view(row) for row in await service.every()])

    @post("/", opt=needs(Role.EDITOR, body=MethodCreate, answer=MethodView))
    async def create_method(request: AnyRequest) -> Response[bytes]:
        """Add an auth method."""
        wanted = await read_body(request, MethodCreate)
        row, revision = await service.create(wanted, actor_of(request.scope))
        return answer(method_view(row), status=201, revision=revision)

    @post("/with-key", opt=needs(Role.EDITOR, body=MethodWithKeyCreate, answer=MethodWithKeyAnswer))
    async def create_method_with_key(request: AnyRequest) -> Response[bytes]:
        """Add an api_key method and see its first key, this once."""
        wanted = await read_body(request, MethodWithKeyCreate)
        row, key, revision = await service.create_with_key(wanted, actor_of(request.scope))
        return answer(MethodWithKeyAnswer(id=row.id, api_key=key.shown, note=KEY_NOTE), status=201, revision=revision)

    @get("/{method_id:str}", opt=needs(Role.VIEWER, answer=MethodView))
    async def get_method(method_id: FromPath[str]) -> Response[bytes]:
        """One auth method."""
        return answer(method_view(await service.one(row_id(method_id))))

    @put("/{method_id:str}", opt=needs(Role.EDITOR, body=MethodUpdate, answer=MethodView))
    async def update_method(request: AnyRequest, method_id: FromPath[str]) -> Response[bytes]:
        """Change an auth method; omitted fields stay."""
        identity = row_id(method_id)
        wanted = await read_body(request, MethodUpdate)
        row, revision = await service.update(identity, wanted, actor_of(request.scope))
        return answer(method_view(row), revision=revision)

    @delete("/{method_id:str}", opt=needs(Role.EDITOR))
    async def delete_method(request: AnyRequest, method_id: FromPath[str]) -> Response[None]:
        """Remove an auth method; endpoints that use it answer 401 from then on."""
        return no_content(await service.delete(row_id(method_id), actor_of(request.scope)))

    @post(
        "/{method_id:str}/issue-token",
        opt=needs(Role.EDITOR, body=IssueToken, answer=TokenAnswer),
        status_code=200,
    )
    async def issue_token(request: AnyRequest, method_id: FromPath[str]) -> Response[bytes]:
        """A token of a bearer method for a consumer."""
        identity = row_id(method_id)
        wanted = await read_body(request, IssueToken)
        token, revision = await issuing.issue_token(identity, wanted.consumer, actor_of(request.scope))
        expires_at = datetime.fromtimestamp(token.expires_at, UTC)
        shown = TokenAnswer(token=token.token, token_type="bearer", expires_at=expires_at, note=TOKEN_NOTE)  # noqa: S106 - a scheme
        return answer(shown, revision=revision)

    @post("/{method_id:str}/rotate", opt=needs(Role.EDITOR, answer=RotateAnswer), status_code=200)
    async def rotate(request: AnyRequest, method_id: FromPath[str]) -> Response[bytes]:
        """A new secret; everything issued before is invalid."""
        identity = row_id(method_id)
        await refuse_body(request)
        key, revision = await service.rotate(identity, actor_of(request.scope))
        if key is None:
            said = "The signing secret was rotated; all tokens issued before are invalid."
            return answer(RotateAnswer(message=said), revision=revision)
        return answer(RotateAnswer(api_key=key.shown, note=KEY_NOTE), revision=revision)

    return Routes(
        "/api/v1/admin/auth",
        route_handlers=[
            list_methods,
            create_method,
            create_method_with_key,
            get_method,
            update_method,
            delete_method,
            issue_token,
            rotate,
        ],
    )
