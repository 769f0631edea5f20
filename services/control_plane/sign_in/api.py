"""`/api/v1/auth`."""

from datetime import UTC, datetime
from typing import Annotated

from litestar import Response, get, post
from msgspec import Meta, Struct

from control_plane.edge.visit import actor_of, visit_of
from control_plane.input.requests import AnyRequest, read_body
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs, open_to_all
from control_plane.sign_in.service import SignIn


class Login(Struct, frozen=True):
    username: Annotated[str, Meta(min_length=1, max_length=255)]
    password: Annotated[str, Meta(min_length=1, max_length=1_024)]

    def __repr__(self) -> str:
        return "Login(...)"


class LoginAnswer(Struct, frozen=True):
    access_token: str
    token_type: str
    expires_at: datetime


class Me(Struct, frozen=True):
    username: str
    role: str


def sign_in_routes(service: SignIn) -> Routes:
    """Sign-in and who am I."""

    @post("/login", opt=open_to_all(body=Login, answer=LoginAnswer), status_code=200)
    async def login(request: AnyRequest) -> Response[bytes]:
        """Exchange user name and password for a token."""
        given = await read_body(request, Login)
        issued = await service.sign_in(given.username, given.password, visit_of(request.scope))
        return answer(LoginAnswer(issued.token, "bearer", datetime.fromtimestamp(issued.expires_at, UTC)))

    @get("/me", opt=needs(Role.VIEWER, answer=Me))
    async def me(request: AnyRequest) -> Response[bytes]:
        """The signed-in admin."""
        actor = actor_of(request.scope)
        return answer(Me(actor.username, actor.role))

    return Routes("/api/v1/auth", route_handlers=[login, me])
