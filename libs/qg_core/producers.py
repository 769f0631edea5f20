"""What produces a snapshot, as one digest: a snapshot is served only while its producer is the current one.

In it is whatever decides which rows come out and how they are written: the statement, its binds, the names of the
columns, the limits that cut, and which database is asked as whom. Not in it: names, paths, credentials, pool sizes and
time limits, whose change leaves the stored rows as true as they were. A password opens the same database.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from qg_core.binding import BindValue, compile_binder
from qg_core.errors import FieldProblem, InvalidInput
from qg_core.parameters import Parameter, ParameterType
from qg_core.specs import Address, ConnectionSpec, EndpointSpec, NumberStyle

PRODUCER_FORMAT = 1
"""Changes when the stored form of a snapshot does: then all of them are taken anew."""


class _Bind(msgspec.Struct, frozen=True):
    type: ParameterType
    default: str | int | float | bool | None


class _Producer(msgspec.Struct, frozen=True, kw_only=True):
    """The text whose digest it is: canonical JSON, every field written out."""

    format: int
    endpoint_id: str
    sql_text: str
    binds: dict[str, _Bind]
    column_map: dict[str, str]
    numbers: NumberStyle
    rows_max: int
    bytes_max: int
    connection_id: str
    addresses: tuple[Address, ...]
    service_name: str | None
    sid: str | None
    server_dn: str | None
    username: str


_encoder = msgspec.json.Encoder(order="sorted")


def producer_of(endpoint: EndpointSpec, connection: ConnectionSpec) -> str:
    """The digest of what produces the endpoint's rows: SHA-256 over canonical JSON, 64 hex digits.

    `connection` is the one that the endpoint names. Depends on nothing that is sealed.
    """
    producer = _Producer(
        format=PRODUCER_FORMAT,
        endpoint_id=endpoint.id,
        sql_text=endpoint.sql_text,
        binds={name: _Bind(parameter.type, parameter.default) for name, parameter in endpoint.parameters.items()},
        column_map=endpoint.column_map,
        numbers=endpoint.numbers,
        rows_max=endpoint.rows_max,
        bytes_max=endpoint.bytes_max,
        connection_id=connection.id,
        addresses=connection.addresses,
        service_name=connection.service_name,
        sid=connection.sid,
        server_dn=connection.server_dn,
        username=connection.username,
    )
    return hashlib.sha256(_encoder.encode(producer)).hexdigest()


def snapshot_binds(endpoint: EndpointSpec) -> dict[str, BindValue]:
    """The defaults of all parameters, of the types that the driver gets on a live request.

    Raises `InvalidInput` when one has none, or when the declaration contradicts itself.
    """
    if problems := snapshot_problems(endpoint.parameters):
        raise InvalidInput(problems)
    binds = compile_binder(endpoint.parameters).defaults_only()
    assert binds is not None, "every parameter has a default"  # noqa: S101 - says so to the type checker
    return binds


def snapshot_problems(param_schema: Mapping[str, Parameter]) -> tuple[FieldProblem, ...]:
    """The parameters that stand in the way of a snapshot, fields as `<name>.<field>`; empty when none does."""
    problems: list[FieldProblem] = []
    for name, parameter in param_schema.items():
        if parameter.required:
            problems.append(
                FieldProblem(
                    f"{name}.required",
                    "a snapshot is taken without a caller: its parameters must be optional, with defaults",
                )
            )
        elif parameter.default is None:
            problems.append(FieldProblem(f"{name}.default", "a snapshot is taken without a caller: give a default"))
    return tuple(problems)
