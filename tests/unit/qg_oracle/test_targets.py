"""Targets, the descriptors rebuilt from them, and their fingerprints."""

import msgspec
import pytest

from qg_core.specs import Address
from qg_oracle.targets import ConnectionTarget, descriptor, fingerprint

TARGET = ConnectionTarget(
    connection_id="c",
    addresses=(Address(protocol="tcp", host="db.example.com", port=1521),),
    service_name="sales.example.com",
    sid=None,
    username="reader",
    password="s3cret-password",
    wallet="-----BEGIN CERTIFICATE-----",
)


def test_the_descriptor_holds_addresses_and_connect_data_only() -> None:
    assert descriptor(TARGET) == (
        "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=db.example.com)(PORT=1521))"
        "(CONNECT_DATA=(SERVICE_NAME=sales.example.com)))"
    )


def test_several_addresses_become_a_list() -> None:
    more = msgspec.structs.replace(
        TARGET,
        addresses=(*TARGET.addresses, Address(protocol="tcps", host="::1", port=2484)),
        load_balance=True,
        service_name=None,
        sid="ORCL",
    )
    assert descriptor(more) == (
        "(DESCRIPTION=(ADDRESS_LIST=(LOAD_BALANCE=ON)(FAILOVER=ON)"
        "(ADDRESS=(PROTOCOL=tcp)(HOST=db.example.com)(PORT=1521))(ADDRESS=(PROTOCOL=tcps)(HOST=::1)(PORT=2484)))"
        "(CONNECT_DATA=(SID=ORCL)))"
    )


@pytest.mark.parametrize("bad", ["a)(HOST=b", "a b", 'a"b', "a\nb", "a'b", "", "a/b", "x" * 300, "a=b", "ü", "127.1"])
def test_values_that_would_need_escaping_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        descriptor(msgspec.structs.replace(TARGET, addresses=(Address(protocol="tcp", host=bad, port=1),)))


@pytest.mark.parametrize("bad", ["a)(x=b", "a b", 'a"b', "a\nb", "", "a/b", "x" * 129, "a=b", "ü", "(a", "a\\b"])
def test_service_names_and_sids_are_plain(bad: str) -> None:
    with pytest.raises(ValueError, match="service_name"):
        descriptor(msgspec.structs.replace(TARGET, service_name=bad))
    with pytest.raises(ValueError, match="sid"):
        descriptor(msgspec.structs.replace(TARGET, service_name=None, sid=bad))


def test_exactly_one_of_service_name_and_sid() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        descriptor(msgspec.structs.replace(TARGET, sid="X"))
    with pytest.raises(ValueError, match="exactly one"):
        descriptor(msgspec.structs.replace(TARGET, service_name=None))


def test_a_target_never_shows_its_secrets() -> None:
    for text in (repr(TARGET), str(TARGET), f"{TARGET}", f"{[TARGET]}"):
        assert "s3cret" not in text
        assert "BEGIN" not in text


def test_the_fingerprint_covers_every_field_and_needs_its_key() -> None:
    key = b"k" * 32
    changed = {
        "connection_id": "d",
        "addresses": (Address(protocol="tcp", host="db.example.com", port=1522),),
        "service_name": "other",
        "sid": "x",
        "username": "other",
        "password": "other",
        "load_balance": True,
        "failover": False,
        "server_dn": "CN=x",
        "wallet": None,
        "pool_min": 2,
        "pool_max": 6,
        "pool_timeout_s": 11,
        "query_timeout_s": 31,
    }
    assert set(changed) == set(TARGET.__struct_fields__)
    names = {fingerprint(msgspec.structs.replace(TARGET, **{field: value}), key) for field, value in changed.items()}
    names.add(fingerprint(TARGET, key))
    names.add(fingerprint(TARGET, b"l" * 32))
    assert len(names) == len(changed) + 2
    assert fingerprint(TARGET, key) == fingerprint(msgspec.structs.replace(TARGET), key)
