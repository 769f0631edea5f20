"""What a route declares of itself: who may call it, what it reads and answers. One that declares nothing is shut."""

from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import msgspec
from litestar import Response, Router
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from control_plane.edge.visit import actor_of
from control_plane.input.requests import BODY, QUERY
from control_plane.roles import Role, may
from qg_core.errors import Forbidden

ROLE = "role"
ANSWER = "answer"
OPEN = "open"
"""Names of the entries in a route's `opt`."""

REVISION_HEADER = "X-QG-Revision"

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]

_encode = msgspec.json.Encoder().encode


class Routes(Router):
    """The routes of one subject, for one application."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Litestar copies routers deeply so that one can be registered twice. Ours are made anew for each application,
        # and copying all they lead to took a third of the time that building one takes.
        return self


def needs(
    role: Role,
    *,
    answer: Any = None,
    body: type[msgspec.Struct] | None = None,
    query: type[msgspec.Struct] | None = None,
) -> dict[str, Any]:
    """The `opt` of a route for admins of at least `role`; `answer` is the type of a 2xx body."""
    return {ROLE: role, ANSWER: answer, BODY: body, QUERY: query, OPEN: False}


def open_to_all(*, answer: Any, body: type[msgspec.Struct] | None = None) -> dict[str, Any]:
    """The `opt` of a route without sign-in; the gate must list its path too."""
    return {ROLE: None, ANSWER: answer, BODY: body, QUERY: None, OPEN: True}


def role_guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The application's guard: compares the admin's role with the route's."""
    if handler.opt.get(OPEN) is True or connection.scope.get("method") == "OPTIONS":
        # OPTIONS is the router's own and says no more than `Allow`; the gate has seen a token.
        return
    needed = handler.opt.get(ROLE)
    if needed is None:
        raise Forbidden
    if not may(actor_of(connection.scope).role, needed):
        raise Forbidden(f"This needs the role {needed.value}.")


def answer(value: Any, *, status: int = 200, revision: int | None = None) -> Response[bytes]:
    """A JSON answer; `revision` becomes `X-QG-Revision`."""
    headers = {} if revision is None else {REVISION_HEADER: str(revision)}
    return Response(_encode(value), status_code=status, headers=headers, media_type="application/json")


def no_content(revision: int | None = None) -> Response[None]:
    """A 204."""
    headers = {} if revision is None else {REVISION_HEADER: str(revision)}
    return Response(None, status_code=204, headers=headers)
