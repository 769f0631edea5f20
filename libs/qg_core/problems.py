"""Errors as problem documents (RFC 9457, `application/problem+json`): the one place that shapes an error body."""

import msgspec

from qg_core.errors import FieldProblem, GatewayError, InvalidInput

MEDIA_TYPE = "application/problem+json"

INTERNAL_ERROR_BODY = b'{"detail":"Internal server error"}'
"""What a failure nobody foresaw looks like, whatever it was; sent as `application/json` with status 500."""

TYPE_PREFIX = "urn:querygateway:error:"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One problem document; `errors` only on 422."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: tuple[FieldProblem, ...] = ()


_encode = msgspec.json.Encoder().encode


def problem_of(error: GatewayError, request_id: str) -> Problem:
    """The document of one error."""
    return Problem(
        type=TYPE_PREFIX + error.code,
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id,
        errors=error.problems if isinstance(error, InvalidInput) else (),
    )


def problem_body(error: GatewayError, request_id: str) -> bytes:
    """The encoded document of one error."""
    return _encode(problem_of(error, request_id))
