"""One request on its way through: who calls, from where, under which id."""

from typing import Any

import msgspec

from control_plane.actors import Actor

_KEY = "querygateway.visit"


class Visit(msgspec.Struct):
    """Made by the edge; `actor` is set once the caller is known."""

    request_id: str
    client_ip: str
    network: str
    """What sign-in failures are counted under: the IPv4 address or the /64 of an IPv6 one."""
    actor: Actor | None = None
    error_code: str | None = None


def attach(scope: Any, visit: Visit) -> None:
    """Put the visit where the routes find it."""
    scope[_KEY] = visit


def visit_of(scope: Any) -> Visit:
    """The visit of a request."""
    visit: Visit = scope[_KEY]
    return visit


def actor_of(scope: Any) -> Actor:
    """The signed-in admin of a request; the gate has made sure that there is one."""
    actor = visit_of(scope).actor
    if actor is None:
        raise RuntimeError("a route behind the gate was reached without an actor")
    return actor
