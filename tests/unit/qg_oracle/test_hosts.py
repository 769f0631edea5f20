"""Which hosts a connection may name, and which addresses a session may be opened to."""

import ipaddress

import pytest

from qg_oracle.hosts import check_address, host_allowed, parse_allowed, parse_host


@pytest.mark.parametrize(
    "host",
    ["db", "db.example.com", "DB.Example.COM", "db.example.com.", "a_b.example", "10.1.2.3", "::1", "2001:db8::7",
     "xn--dtabase-3ya.example", "1.2.3.4.nip.example"],
)  # fmt: skip
def test_plain_hosts_pass(host: str) -> None:
    assert host_allowed(host, ())


@pytest.mark.parametrize(
    "host",
    [
        "", " ", "a b", "a..b", ".a", "-a", "a-", "a/b", "a:1521", "[::1]", "fe80::1%eth0", "user@host", "a\n",
        "127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "127.0.0.0x1", "0177.0.0.1",
        "1.2.3", "ü.example", "256.1.1.1", "a" * 64, "a." * 130,
    ],
)  # fmt: skip
def test_odd_spellings_are_refused(host: str) -> None:
    assert not host_allowed(host, ())
    with pytest.raises(ValueError, match=r"\w"):
        parse_host(host)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.0.1", "0.0.0.0",  # noqa: S104 - refused
        "224.0.0.1", "255.255.255.255", "100.100.100.200", "192.0.0.192",
        "::", "fe80::1", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1", "::a9fe:a9fe",
    ],
)  # fmt: skip
def test_addresses_that_are_never_a_database(address: str) -> None:
    assert not host_allowed(address, ())
    assert not host_allowed(address, ("0.0.0.0/0", "::/0"))
    with pytest.raises(ValueError, match="never a database"):
        check_address(ipaddress.ip_address(address), ("example.com",), named="db.example.com")


def test_suffixes_match_whole_labels() -> None:
    allowed = ("db.example.com", ".corp.example")
    assert host_allowed("db.example.com", allowed)
    assert host_allowed("A.DB.Example.com", allowed)
    assert host_allowed("x.corp.example", allowed)
    assert not host_allowed("evildb.example.com", allowed)
    assert not host_allowed("example.com", allowed)
    assert not host_allowed("db.example.com.evil.test", allowed)
    assert not host_allowed("10.0.0.1", allowed)


def test_networks_hold_literals_and_what_names_resolve_to() -> None:
    allowed = ("10.0.0.0/8", "2001:db8::/32")
    assert host_allowed("10.9.8.7", allowed)
    assert host_allowed("2001:db8::1", allowed)
    assert host_allowed("::ffff:10.1.1.1", allowed)
    assert not host_allowed("11.0.0.1", allowed)
    assert not host_allowed("::1", allowed)
    assert host_allowed("any.name.example", allowed)  # decided once it is resolved
    check_address(ipaddress.ip_address("10.0.0.1"), allowed, named="any.name.example")
    with pytest.raises(ValueError, match="ORACLE_HOSTS_ALLOWED"):
        check_address(ipaddress.ip_address("127.0.0.1"), allowed, named="any.name.example")
    check_address(ipaddress.ip_address("127.0.0.1"), (*allowed, "name.example"), named="any.name.example")


def test_the_list_itself_is_checked() -> None:
    assert parse_allowed(("db.example.com", ".x.example", "10.0.0.0/8", "::1")) == (
        "db.example.com", ".x.example", "10.0.0.0/8", "::1",
    )  # fmt: skip
    for bad in ("*", "*.example.com", "http://x", "10.0.0.0/33", "a b", ""):
        with pytest.raises(ValueError, match="neither"):
            parse_allowed((bad,))
