"""The caller's address behind trusted proxies, and what failed sign-ins are counted under."""

import pytest

from qg_core.client_address import compile_client_address, compile_is_trusted, network_of, parse_networks

TRUSTED = parse_networks(("10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "header", "expected"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", b"203.0.113.9", "192.0.2.1"),  # an untrusted peer may write what it likes
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", b"1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),  # the left part is the client's own claim
        ("10.0.0.1", b"10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", b"2001:db8::1", "2001:db8::1"),
        ("fd00::1", b"203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", b"203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", b"203.0.113.9, unknown", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.9:1234", "10.0.0.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"\xff", "10.0.0.1"),
        ("10.0.0.1", b"unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", b",".join([b"10.0.0.2"] * 100), "10.0.0.2"),
        # What a client writes before its proxy appends the address can't hide that address.
        ("10.0.0.1", b"\xff, unknown, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", b"1.1.1.1, " * 100 + b"203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", b"," * 5_000 + b"203.0.113.9,10.0.0.2", "203.0.113.9"),
    ],
)
def test_client_address(peer: str, header: bytes | None, expected: str) -> None:
    assert compile_client_address(TRUSTED)(peer, header) == expected


def test_without_trusted_proxies_the_peer_counts() -> None:
    assert compile_client_address(())("10.0.0.1", b"203.0.113.9") == "10.0.0.1"
    assert not compile_is_trusted(())("10.0.0.1")
    assert compile_is_trusted(TRUSTED)("10.0.0.1")
    assert not compile_is_trusted(TRUSTED)("not an address")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("odd:", "odd:"),
    ],
)
def test_network_of(address: str, expected: str) -> None:
    assert network_of(address) == expected


def test_a_wrong_network_is_refused() -> None:
    with pytest.raises(ValueError):
        parse_networks(("10.0.0.0/8", "example.com"))
