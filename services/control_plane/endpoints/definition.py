"""An endpoint's definition: the values of a save merged with what is stored, and what is wrong with them as a whole."""

import re
from collections.abc import Mapping

from msgspec import UNSET, Struct, structs

from control_plane.endpoints.views import SQL_BYTES_MAX, EndpointCreate, EndpointUpdate
from control_plane.input.kinds import uuid_or_none
from qg_core.binding import parameter_problems
from qg_core.errors import FieldProblem
from qg_core.parameters import Parameter
from qg_core.producers import snapshot_problems
from qg_core.specs import DataStrategy, NumberStyle
from qg_store.models import Endpoint

PARAMETER_DESCRIPTION_LENGTH_MAX = 1_000
ENUM_LENGTH_MAX = 500

_PATH = re.compile(r"[a-z0-9][a-z0-9_/-]*\Z")

HARMLESS_FIELDS = frozenset({"name", "description", "is_deprecated", "deprecation_note"})
"""What an editor may change of an endpoint that needs no credential; the rest decides what everybody can see."""


class Definition(Struct, frozen=True, kw_only=True):
    """Everything an admin decides about one endpoint."""

    name: str
    path: str
    connection_id: str
    sql_text: str
    description: str
    auth_method_id: str | None
    allow_unauthenticated: bool
    param_schema: dict[str, Parameter]
    column_map: dict[str, str]
    data_strategy: DataStrategy
    numbers: NumberStyle
    rows_max: int
    bytes_max: int
    timeout_ms: int | None
    concurrency_max: int
    is_active: bool
    is_deprecated: bool
    deprecation_note: str | None
    version: str


_FIELDS = Definition.__struct_fields__


def definition_of(row: Endpoint) -> Definition:
    """What is stored."""
    values = {name: getattr(row, name) for name in _FIELDS}
    values["data_strategy"], values["numbers"] = DataStrategy(row.data_strategy), NumberStyle(row.numbers)
    return Definition(**values)


def merged(wanted: EndpointCreate | EndpointUpdate, stored: Definition | None) -> Definition:
    """The definition after the save, normalised: path, lower-case binds, canonical ids."""
    given = {name: getattr(wanted, name) for name in _FIELDS}
    values = {name: value for name, value in given.items() if value is not UNSET}
    if stored is not None:
        values = {**structs.asdict(stored), **values}
    values["name"] = values["name"].strip()
    values["path"] = values["path"].strip("/").lower()
    for field in ("connection_id", "auth_method_id"):
        if values[field] is not None:
            values[field] = uuid_or_none(values[field]) or values[field]
    return Definition(**values)


def write(row: Endpoint, definition: Definition) -> None:
    """Put a definition into a row."""
    for name in _FIELDS:
        value = getattr(definition, name)
        setattr(row, name, value.value if isinstance(value, DataStrategy | NumberStyle) else value)


def changed_fields(before: Definition | None, after: Definition) -> frozenset[str]:
    """The fields that differ; all of them for a new endpoint."""
    if before is None:
        return frozenset(_FIELDS)
    return frozenset(name for name in _FIELDS if getattr(before, name) != getattr(after, name))


def with_lower_binds(definition: Definition, problems: list[FieldProblem]) -> Definition:
    """The same with the names of binds in lower case; two that become one are a problem."""
    folded: dict[str, Parameter] = {}
    for name, parameter in definition.param_schema.items():
        lowered = name.lower() if name.isascii() else name
        if lowered in folded:
            problems.append(FieldProblem(f"param_schema.{name}", "is declared twice: binds are case-insensitive"))
        folded[lowered] = parameter
    return structs.replace(definition, param_schema=folded)


def problems_of(definition: Definition) -> list[FieldProblem]:
    """What is wrong with a definition by itself, without its statement and what it refers to."""
    problems: list[FieldProblem] = []
    if _PATH.match(definition.path) is None or len(definition.path) > 500:
        problems.append(FieldProblem("path", "must be [a-z0-9][a-z0-9_/-]*"))
    elif "//" in definition.path:
        problems.append(FieldProblem("path", "may not hold an empty segment (//)"))
    if len(definition.sql_text.encode()) > SQL_BYTES_MAX:
        problems.append(FieldProblem("sql_text", f"must have at most {SQL_BYTES_MAX} bytes"))
    if definition.auth_method_id is None and not definition.allow_unauthenticated:
        problems.append(
            FieldProblem(
                "allow_unauthenticated",
                "give an auth_method_id, or set allow_unauthenticated to true for an endpoint that is public",
            )
        )
    problems += _parameter_problems(definition)
    problems += _column_problems(definition.column_map)
    return problems


def bind_problems(binds: tuple[str, ...], declared: Mapping[str, Parameter]) -> list[FieldProblem]:
    """Binds without declaration, and declarations without bind."""
    missing = [FieldProblem(f"param_schema.{name}", f"the statement has a bind :{name}") for name in binds]
    return [problem for name, problem in zip(binds, missing, strict=True) if name not in declared] + [
        FieldProblem(f"param_schema.{name}", "the statement has no such bind") for name in declared if name not in binds
    ]


def _parameter_problems(definition: Definition) -> list[FieldProblem]:
    found = parameter_problems(definition.param_schema)
    if definition.data_strategy is DataStrategy.SNAPSHOT:
        found += snapshot_problems(definition.param_schema)
    problems = [FieldProblem(f"param_schema.{problem.field}", problem.message) for problem in found]
    for name, parameter in definition.param_schema.items():
        if len(parameter.description) > PARAMETER_DESCRIPTION_LENGTH_MAX:
            problems.append(
                FieldProblem(
                    f"param_schema.{name}.description",
                    f"must have at most {PARAMETER_DESCRIPTION_LENGTH_MAX} characters",
                )
            )
        if parameter.enum is not None and len(parameter.enum) > ENUM_LENGTH_MAX:
            problems.append(FieldProblem(f"param_schema.{name}.enum", f"must have at most {ENUM_LENGTH_MAX} values"))
    return problems


def _column_problems(column_map: Mapping[str, str]) -> list[FieldProblem]:
    problems = []
    outputs: set[str] = set()
    sources: set[str] = set()
    for source, output in column_map.items():
        if output in outputs:
            problems.append(FieldProblem(f"column_map.{source}", f"the output name {output!r} is used twice"))
        if source.upper() in sources:
            problems.append(FieldProblem(f"column_map.{source}", "the column is renamed twice"))
        outputs.add(output)
        sources.add(source.upper())
    return problems
