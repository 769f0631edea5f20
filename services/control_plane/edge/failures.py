"""Any exception as the answer it becomes: the only place of the control plane that maps errors to HTTP."""

import msgspec
from litestar.exceptions import HTTPException, LitestarException, MethodNotAllowedException, NotFoundException

from control_plane.edge.visit import Visit
from qg_core.errors import BadRequest, FieldProblem, GatewayError, InvalidInput, MethodNotAllowed, NotFound
from qg_core.errors import StoreUnavailable as StoreAway
from qg_core.problems import INTERNAL_ERROR_BODY, MEDIA_TYPE, problem_body
from qg_store.availability import is_unavailable
from qg_telemetry.events import Observe, UnforeseenError


class Answer(msgspec.Struct, frozen=True):
    """Status, headers beyond those of every answer, and body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def answer_of(error: Exception, visit: Visit, observe: Observe) -> Answer:
    """The problem document of an expected error; the bare 500 and an event for one that nobody foresaw."""
    known = known_error(error)
    if known is None:
        visit.error_code = "internal_error"
        observe(UnforeseenError.of("control_plane", error, request_id=visit.request_id))
        return Answer(500, ((b"content-type", b"application/json"),), INTERNAL_ERROR_BODY)
    visit.error_code = known.code
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in known.headers.items()]
    return Answer(known.status, tuple(headers), problem_body(known, visit.request_id))


def known_error(error: Exception) -> GatewayError | None:
    """The gateway error that `error` is or stands for."""
    error = _unwrapped(error)
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, MethodNotAllowedException):
        allowed = (error.headers or {}).get("allow", "")
        return MethodNotAllowed([method.strip() for method in allowed.split(",") if method.strip()])
    if isinstance(error, NotFoundException):
        return NotFound()
    if isinstance(error, HTTPException):
        if error.status_code in {400, 422}:
            return InvalidInput([FieldProblem("request", "could not be understood")])
        return BadRequest() if 400 <= error.status_code < 500 else None
    return StoreAway(retry_after_s=1) if is_unavailable(error) else None


def _unwrapped(error: Exception) -> Exception:
    """What broke off an answer that had begun: it comes in Litestar's words, and out of the task group of a stream."""
    while True:
        if type(error) is LitestarException and isinstance(error.__cause__, Exception):
            error = error.__cause__
        elif isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        else:
            return error
