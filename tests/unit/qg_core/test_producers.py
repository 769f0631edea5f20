"""What produces a snapshot: the digest differs exactly when the stored rows could."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from qg_core.errors import InvalidInput
from qg_core.parameters import Parameter, ParameterType
from qg_core.producers import producer_of, snapshot_binds, snapshot_problems
from qg_core.specs import Address, ConnectionSpec, DataStrategy, EndpointSpec, NumberStyle


def optional(type_: str, default: Any, **more: Any) -> Parameter:
    return Parameter(type=ParameterType(type_), required=False, default=default, **more)


ENDPOINT = EndpointSpec(
    format=1,
    id="e" * 8,
    name="orders",
    path="orders",
    version="v1",
    connection_id="c" * 8,
    auth_method_id=None,
    allow_unauthenticated=True,
    sql_text="select order_id from orders where status = :status",
    parameters={"status": optional("string", "open")},
    column_map={"ORDER_ID": "id"},
    data_strategy=DataStrategy.SNAPSHOT,
    numbers=NumberStyle.NUMBER,
    rows_max=10,
    bytes_max=1_000,
    timeout_ms=None,
    concurrency_max=5,
    is_deprecated=False,
    deprecation_note=None,
)
CONNECTION = ConnectionSpec(
    format=1,
    id="c" * 8,
    name="erp",
    addresses=(Address(protocol="tcp", host="db1", port=1521),),
    load_balance=False,
    failover=True,
    service_name="ORCL",
    sid=None,
    server_dn=None,
    username="app",
    sealed="token-1",
    pool_min=1,
    pool_max=5,
    pool_timeout_s=10,
    query_timeout_s=30,
)
DIGEST = producer_of(ENDPOINT, CONNECTION)

# Changes beyond which the stored rows are not what would be read now.
RELEVANT: dict[type, dict[str, Any]] = {
    EndpointSpec: {
        "id": "f" * 8,
        "sql_text": "select 1 from dual",
        "parameters": {"status": optional("string", "closed")},
        "column_map": {"ORDER_ID": "order"},
        "numbers": NumberStyle.STRING,
        "rows_max": 11,
        "bytes_max": 2_000,
    },
    ConnectionSpec: {
        "id": "d" * 8,
        "addresses": (Address(protocol="tcp", host="db2", port=1521),),
        "service_name": "OTHER",
        "sid": "X",
        "server_dn": "CN=db",
        "username": "other",
    },
}
# The rest. `connection_id` and `data_strategy` decide whether there is a snapshot, not what is in it.
IRRELEVANT: dict[type, dict[str, Any]] = {
    EndpointSpec: {
        "format": 2,
        "name": "n",
        "path": "p",
        "version": "v2",
        "connection_id": "x" * 8,
        "auth_method_id": "m",
        "allow_unauthenticated": False,
        "data_strategy": DataStrategy.LIVE,
        "timeout_ms": 5,
        "concurrency_max": 1,
        "is_deprecated": True,
        "deprecation_note": "soon",
    },
    ConnectionSpec: {
        "format": 2,
        "name": "n",
        "load_balance": True,
        "failover": False,
        "sealed": "token-2",
        "pool_min": 2,
        "pool_max": 9,
        "pool_timeout_s": 1,
        "query_timeout_s": 1,
    },
}


def changed(field: str, value: Any, spec: EndpointSpec | ConnectionSpec) -> str:
    other = msgspec.structs.replace(spec, **{field: value})
    if isinstance(other, EndpointSpec):
        return producer_of(other, CONNECTION)
    return producer_of(ENDPOINT, other)


@pytest.mark.parametrize("spec", [ENDPOINT, CONNECTION], ids=lambda spec: type(spec).__name__)
def test_each_field_decides_or_does_not(spec: EndpointSpec | ConnectionSpec) -> None:
    relevant, irrelevant = RELEVANT[type(spec)], IRRELEVANT[type(spec)]
    assert set(relevant) | set(irrelevant) == set(spec.__struct_fields__), "a new field needs a decision"
    for field, value in relevant.items():
        assert changed(field, value, spec) != DIGEST, field
    for field, value in irrelevant.items():
        assert changed(field, value, spec) == DIGEST, field


def test_the_form_of_the_digest_is_fixed() -> None:
    """Another digest for the same specs would take every snapshot of every gateway out of service at an upgrade."""
    assert DIGEST == "01d4e4aded6276e2bed6ee190dee6deafe358ba859b71c8eb839104feb4e5455"


def test_order_and_words_about_a_bind_do_not_matter() -> None:
    binds = {"a": optional("integer", 1), "b": optional("string", "x")}
    described = {"b": optional("string", "x", description="why"), "a": optional("integer", 1, minimum=0)}
    one, other = (msgspec.structs.replace(ENDPOINT, parameters=parameters) for parameters in (binds, described))
    assert producer_of(one, CONNECTION) == producer_of(other, CONNECTION)


def test_binds_are_what_a_live_request_without_parameters_binds() -> None:
    parameters = {
        "n": optional("integer", 7),
        "f": optional("float", 1.5),
        "d": optional("decimal", "1.10"),
        "b": optional("boolean", True),
        "day": optional("date", "2026-01-31"),
        "at": optional("datetime", "2026-01-31T12:00:00+01:00"),
        "t": optional("string", "x"),
    }
    assert snapshot_binds(msgspec.structs.replace(ENDPOINT, parameters=parameters)) == {
        "n": 7,
        "f": 1.5,
        "d": Decimal("1.10"),
        "b": 1,
        "day": date(2026, 1, 31),
        "at": datetime.fromisoformat("2026-01-31T11:00:00"),
        "t": "x",
    }


def test_parameters_that_stand_in_the_way() -> None:
    parameters = {
        "a": Parameter(type=ParameterType.STRING),
        "b": Parameter(type=ParameterType.STRING, default="x"),
        "c": Parameter(type=ParameterType.STRING, required=False),
        "d": optional("string", "x"),
    }
    assert [problem.field for problem in snapshot_problems(parameters)] == ["a.required", "b.required", "c.default"]
    assert snapshot_problems({}) == ()
    with pytest.raises(InvalidInput) as caught:
        snapshot_binds(msgspec.structs.replace(ENDPOINT, parameters=parameters))
    assert len(caught.value.problems) == 3
