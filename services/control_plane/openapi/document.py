"""The OpenAPI 3.1 document: paths and roles from the routes, schemas from the Structs that are really read and sent."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from msgspec import inspect

from control_plane.input.requests import BODY, QUERY
from control_plane.routing import ANSWER, OPEN, ROLE
from qg_core.gateway_settings import GATEWAY_SETTINGS
from qg_core.problems import MEDIA_TYPE, Problem

_PARAMETER = re.compile(r"{(\w+):str}")
_REFERENCE = "#/components/schemas/{name}"
_PROBLEM_STATUSES = {
    "400": "The database refused the query.",
    "401": "Not signed in.",
    "403": "The role does not allow it.",
    "404": "No such thing.",
    "405": "Wrong method.",
    "409": "Taken, still in use, or not applicable.",
    "413": "The body is too large.",
    "422": "The input is wrong.",
    "429": "Too many failed sign-ins.",
    "503": "Not available right now.",
    "504": "Out of time.",
}

Json = dict[str, Any]
"""A piece of the document; its shape is OpenAPI's."""


def openapi_document(app: Litestar) -> bytes:
    """The document of an application whose routes declare what they read and answer (`control_plane.routing`)."""
    handlers = sorted(_handlers(app), key=lambda found: (found[0], found[1]))
    types = [Problem, *_struct_types(handlers)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    named = dict(zip(map(_type_key, types), schemas, strict=True))
    paths: dict[str, Json] = {}
    for path, method, handler in handlers:
        paths.setdefault(_PARAMETER.sub(r"{\1}", path), {})[method.lower()] = _operation(path, handler, named)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "QueryGateway control plane", "version": version("querygateway")},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            if ROLE in handler.opt:
                yield from ((route.path, str(method), handler) for method in sorted(handler.http_methods))


def _struct_types(handlers: list[tuple[str, str, HTTPRouteHandler]]) -> list[Any]:
    found: dict[str, Any] = {}
    for _, _, handler in handlers:
        for entry in (handler.opt.get(ANSWER), handler.opt.get(BODY)):
            if entry is not None:
                found[_type_key(entry)] = entry
    return list(found.values())


def _type_key(described: Any) -> str:
    return str(described)


def _operation(path: str, handler: HTTPRouteHandler, named: dict[str, Json]) -> Json:
    role = handler.opt.get(ROLE)
    said = (handler.fn.__doc__ or "").strip()
    operation: Json = {
        "operationId": handler.handler_name,
        "summary": said,
        "description": f"Role: {role.value}." if role is not None else "No sign-in.",
        "security": [] if handler.opt.get(OPEN) else [{"token": []}],
        "parameters": [*_path_parameters(path), *_query_parameters(handler)],
        "responses": _responses(handler, named),
    }
    body = handler.opt.get(BODY)
    if body is not None:
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(body)),
            "content": {"application/json": {"schema": _closed(named[_type_key(body)])}},
        }
    return operation


def _closed(schema: Json) -> Json:
    """Unknown fields are refused, which the Structs themselves don't say."""
    return {**schema, "unevaluatedProperties": False}


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in _PARAMETER.findall(path)
    ]


def _path_schema(name: str) -> Json:
    if name.endswith("_id"):
        return {"type": "string", "format": "uuid"}
    if name == "key":
        return {"type": "string", "enum": [*GATEWAY_SETTINGS]}
    return {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


def _query_parameters(handler: HTTPRouteHandler) -> list[Json]:
    query = handler.opt.get(QUERY)
    if query is None:
        return []
    described = inspect.type_info(query)
    assert isinstance(described, inspect.StructType)  # noqa: S101 - a Struct is described as one
    fields = {field.name: field for field in msgspec.structs.fields(query)}
    return [
        {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": _not_null(msgspec.json.schema(fields[field.name].type)),
        }
        for field in described.fields
    ]


def _not_null(schema: Json) -> Json:
    """A query parameter is left out, never null."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    return choices[0] if len(choices) == 1 else schema


def _responses(handler: HTTPRouteHandler, named: dict[str, Json]) -> Json:
    answer = handler.opt.get(ANSWER)
    status = str(handler.status_code)
    success: Json = {"description": "Done."}
    if answer is not None:
        success["content"] = {"application/json": {"schema": named[_type_key(answer)]}}
    problem = {"content": {MEDIA_TYPE: {"schema": named[_type_key(Problem)]}}}
    responses: Json = {status: success}
    responses |= {code: {"description": said, **problem} for code, said in _PROBLEM_STATUSES.items()}
    if handler.opt.get(OPEN) and answer is not None and "ready" in handler.handler_name:
        responses["503"] = {**success, "description": "Not ready."}
    return responses
