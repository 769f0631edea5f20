"""Specs: one canonical form, a digest that is its name, and a reader that refuses what it doesn't know."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_core.parameters import Parameter, ParameterType
from qg_core.specs import (
    Address,
    AuthMethodSpec,
    ConnectionSpec,
    CredentialSpec,
    DataStrategy,
    EndpointSpec,
    MethodType,
    NumberStyle,
    SettingsSpec,
    Spec,
    SpecKind,
    SpecUnreadable,
    decode_spec,
    digest_of,
    encode_spec,
    sealed_row,
)

ENDPOINT = EndpointSpec(
    format=1,
    id="e-1",
    name="orders",
    path="orders",
    version="v1",
    connection_id="c-1",
    auth_method_id=None,
    allow_unauthenticated=True,
    sql_text="select 1 from dual where :b = :a",
    parameters={"b": Parameter(type=ParameterType.INTEGER), "a": Parameter(type=ParameterType.DATE, required=False)},
    column_map={"Z": "z", "A": "a"},
    data_strategy=DataStrategy.LIVE,
    numbers=NumberStyle.NUMBER,
    rows_max=1000,
    bytes_max=1_000_000,
    timeout_ms=None,
    concurrency_max=5,
    is_deprecated=False,
    deprecation_note=None,
)
CONNECTION = ConnectionSpec(
    format=1,
    id="c-1",
    name="erp",
    addresses=(Address(protocol="tcp", host="db", port=1521),),
    load_balance=False,
    failover=True,
    service_name="ORCL",
    sid=None,
    server_dn=None,
    username="app",
    sealed="token",
    pool_min=1,
    pool_max=5,
    pool_timeout_s=10,
    query_timeout_s=30,
)
METHOD = AuthMethodSpec(
    format=1, id="m-1", name="m", method_type=MethodType.BASIC, algorithm=None, key_prefix=None, sealed=None
)
CREDENTIAL = CredentialSpec(
    format=1,
    id="k-1",
    auth_method_id="m-1",
    method_type=MethodType.BASIC,
    consumer="erp",
    expires_at=None,
    sealed="token",
)
SETTINGS = SettingsSpec(
    format=1,
    log_level="INFO",
    query_timeout_seconds=30,
    cors_origins=("https://app.example",),
    snapshot_retention_count=None,
    max_job_concurrency=None,
    access_log_retention_days=None,
)
SPECS: list[Spec] = [ENDPOINT, CONNECTION, METHOD, CREDENTIAL, SETTINGS]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind_.value)
def test_a_spec_reads_back_as_it_was(spec: Spec) -> None:
    body = encode_spec(spec)
    assert decode_spec(body) == spec
    assert encode_spec(decode_spec(body)) == body
    assert json.loads(body)["kind"] == spec.kind_.value


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind_.value)
def test_the_canonical_form_has_sorted_keys_and_every_field(spec: Spec) -> None:
    body = encode_spec(spec)
    written = json.loads(body)
    assert body == json.dumps(written, sort_keys=True, separators=(",", ":")).encode()
    assert set(written) == {field.name for field in msgspec.structs.fields(spec)} | {"kind"}


def test_the_order_of_parameters_is_no_difference() -> None:
    turned = msgspec.structs.replace(
        ENDPOINT,
        parameters=dict(reversed(ENDPOINT.parameters.items())),
        column_map=dict(reversed(ENDPOINT.column_map.items())),
    )
    assert digest_of(encode_spec(turned)) == digest_of(encode_spec(ENDPOINT))


def test_any_change_is_another_digest() -> None:
    digests = {digest_of(encode_spec(spec)) for spec in SPECS}
    digests.add(digest_of(encode_spec(msgspec.structs.replace(ENDPOINT, rows_max=1001))))
    digests.add(digest_of(encode_spec(msgspec.structs.replace(CREDENTIAL, expires_at="2027-01-01T00:00:00Z"))))
    assert len(digests) == 7
    assert all(len(digest) == 64 for digest in digests)


def changed(**changes: object) -> bytes:
    return json.dumps({**json.loads(encode_spec(METHOD)), **changes}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"kind":' * 20_000,
        changed(format=2),
        changed(format=0),
        changed(format="1"),
        changed(kind="snapshot"),
        changed(kind=None),
        changed(method_type="oauth"),
        changed(id=7),
        changed(sealed=["x"]),
        encode_spec(METHOD)[:-1],
    ],
)
def test_what_is_no_spec_of_ours_is_unreadable_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(SpecUnreadable):
        decode_spec(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_unreadable_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(SpecUnreadable):
        decode_spec(body)


def test_a_newer_format_is_named_in_the_message() -> None:
    with pytest.raises(SpecUnreadable, match="format 9 of auth_method m-1"):
        decode_spec(changed(format=9))


def test_a_field_of_a_later_release_is_no_obstacle() -> None:
    assert decode_spec(changed(added_later=1)) == METHOD


def test_rows_of_different_kinds_have_different_seals() -> None:
    assert len({sealed_row(kind, "1") for kind in SpecKind}) == len(SpecKind)
