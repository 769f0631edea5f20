"""A request's body and query string as the Struct its route declares."""

from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from control_plane.input.convert import convert
from control_plane.input.json_text import JsonValue, character_problem, decode_json, shown
from qg_core.errors import FieldProblem, InvalidInput

StructT = TypeVar("StructT", bound=msgspec.Struct)
AnyRequest = Request[Any, Any, Any]

BODY = "body"
QUERY = "query"
"""Names of the entries in a route's `opt` that say which Struct it reads; the OpenAPI document is made from them."""

_QUERY_FIELDS_MAX = 32


async def read_body(request: AnyRequest, struct_type: type[StructT]) -> StructT:
    """The JSON body as `struct_type`; an absent body counts as `{}`. Raises `InvalidInput` with every problem."""
    _check_declared(request, BODY, struct_type)
    body = await request.body()
    if not body:
        return convert({}, struct_type)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise InvalidInput([FieldProblem("body", "must be JSON, sent with Content-Type: application/json")])
    return convert(decode_json(body), struct_type)


async def refuse_body(request: AnyRequest) -> None:
    """For routes that take none: anything but nothing or `{}` is refused with `InvalidInput`."""
    body = await request.body()
    if body.strip() not in {b"", b"{}"}:
        raise InvalidInput([FieldProblem("body", "must be empty")])


def read_query(request: AnyRequest, struct_type: type[StructT]) -> StructT:
    """The query string as `struct_type`. Raises `InvalidInput`: unknown or repeated names, values of another type."""
    _check_declared(request, QUERY, struct_type)
    try:
        pairs = parse_qsl(
            request.scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_QUERY_FIELDS_MAX,
        )
    except ValueError:
        raise InvalidInput([FieldProblem("query", "is not a well-formed query string in UTF-8")]) from None
    problems: list[FieldProblem] = []
    values: dict[str, JsonValue] = {}
    for name, value in pairs:
        if name in values:
            problems.append(FieldProblem(shown(name), "was given more than once"))
        elif wrong := character_problem(name + value):
            problems.append(FieldProblem("query", wrong))
        values[name] = value
    if problems:
        raise InvalidInput(problems)
    return convert(values, struct_type, lax=True)


def _check_declared(request: AnyRequest, what: str, struct_type: type[msgspec.Struct]) -> None:
    """The route must declare what it reads, else the OpenAPI document would not say it."""
    declared = request.route_handler.opt.get(what)
    if declared is not struct_type:
        raise RuntimeError(f"{request.route_handler} reads {struct_type.__name__} but declares {declared}")
