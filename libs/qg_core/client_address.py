"""Who is calling: the peer's address, or what trusted proxies say of it."""

import ipaddress
from collections.abc import Callable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED_HOPS_MAX = 32
"""How many hops of an `X-Forwarded-For` are read, from the right."""


def parse_networks(cidrs: Sequence[str]) -> tuple[Network, ...]:
    """Networks from CIDR texts or single addresses. Raises `ValueError` naming the one that is neither."""
    return tuple(ipaddress.ip_network(cidr) for cidr in cidrs)


def compile_client_address(trusted: tuple[Network, ...]) -> Callable[[str, bytes | None], str]:
    """A function `(peer, X-Forwarded-For | None) -> address`.

    The header is read from the right, through hops that are trusted proxies: the first that isn't is the client.
    Whatever stands left of it was written by the client and is not even looked at. Where a hop can't be read, the one
    before it (in the end the peer) is all that is known.
    """
    if not trusted:
        return _peer_alone

    def client_address(peer: str, forwarded_for: bytes | None) -> str:
        if forwarded_for is None:
            return peer
        found = peer
        try:
            if not _is_trusted(ipaddress.ip_address(peer), trusted):
                return peer
            # Hop by hop from the right: what the client wrote on the left can't keep the proxy's word from being read.
            for hop in reversed(forwarded_for.rsplit(b",", FORWARDED_HOPS_MAX)[-FORWARDED_HOPS_MAX:]):
                address = ipaddress.ip_address(hop.decode("ascii").strip())
                found = str(address)
                if not _is_trusted(address, trusted):
                    break
        except ValueError:
            return found
        return found

    return client_address


def compile_is_trusted(trusted: tuple[Network, ...]) -> Callable[[str], bool]:
    """A function that says whether a peer is a trusted proxy (whose `X-Forwarded-Proto` counts)."""

    def is_trusted(peer: str) -> bool:
        try:
            return bool(trusted) and _is_trusted(ipaddress.ip_address(peer), trusted)
        except ValueError:
            return False

    return is_trusted


def network_of(address: str) -> str:
    """What failed sign-ins are counted under: the IPv4 address, the /64 of an IPv6 one (one site has 2^64 of them)."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))


def _peer_alone(peer: str, forwarded_for: bytes | None) -> str:  # noqa: ARG001  # the shape of a compiled function
    return peer


def _is_trusted(address: ipaddress.IPv4Address | ipaddress.IPv6Address, trusted: tuple[Network, ...]) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in trusted)
