"""Which fields apply to which type of auth method, and their defaults."""

from collections.abc import Mapping

from msgspec import UNSET

from control_plane.auth_methods.views import MethodCreate, MethodUpdate
from qg_core.errors import FieldProblem
from qg_core.specs import MethodType
from qg_security.passwords import PASSWORD_BYTES_MAX

ALGORITHMS = ("HS256", "HS384", "HS512")
DEFAULT_ALGORITHM = "HS256"
DEFAULT_EXPIRE_MINUTES = 60
DEFAULT_KEY_PREFIX = "qg_"

_FIELDS: Mapping[MethodType, frozenset[str]] = {
    MethodType.BEARER: frozenset({"algorithm", "expire_minutes"}),
    MethodType.BASIC: frozenset({"username", "password"}),
    MethodType.API_KEY: frozenset({"key_prefix"}),
}
_ALL = ("algorithm", "expire_minutes", "username", "password", "key_prefix")


def create_problems(wanted: MethodCreate) -> list[FieldProblem]:
    """What is wrong with a new method as a whole."""
    problems = _foreign_fields(wanted, wanted.method_type)
    if wanted.method_type is MethodType.BASIC:
        for field in ("username", "password"):
            if getattr(wanted, field) is None:
                problems.append(FieldProblem(field, "is required for basic"))
    return problems + _value_problems(wanted)


def update_problems(wanted: MethodUpdate, method_type: MethodType) -> list[FieldProblem]:
    """What is wrong with a change to a method of `method_type`."""
    problems = _foreign_fields(wanted, method_type)
    if wanted.method_type is not UNSET and wanted.method_type is not method_type:
        problems.append(FieldProblem("method_type", "can't change; make another auth method"))
    for field in sorted(_FIELDS[method_type]):
        if getattr(wanted, field) is None:
            problems.append(FieldProblem(field, f"can't be null for {method_type.value}"))
    return problems + _value_problems(wanted)


def _foreign_fields(wanted: MethodCreate | MethodUpdate, method_type: MethodType) -> list[FieldProblem]:
    return [
        FieldProblem(field, f"does not apply to {method_type.value}")
        for field in _ALL
        if field not in _FIELDS[method_type] and getattr(wanted, field) not in (None, UNSET)
    ]


def _value_problems(wanted: MethodCreate | MethodUpdate) -> list[FieldProblem]:
    problems = []
    if isinstance(wanted.algorithm, str) and wanted.algorithm not in ALGORITHMS:
        problems.append(FieldProblem("algorithm", f"must be one of {', '.join(ALGORITHMS)}"))
    if isinstance(wanted.password, str) and len(wanted.password.encode()) > PASSWORD_BYTES_MAX:
        problems.append(FieldProblem("password", f"must have at most {PASSWORD_BYTES_MAX} bytes"))
    if isinstance(wanted.username, str) and ":" in wanted.username:
        problems.append(FieldProblem("username", "may not hold a colon: HTTP Basic could not send it"))
    return problems
