"""Where connections may point: spelling of hosts, the allow list, and addresses that are never a database.

Two checks, because a name says nothing about where it leads: `check_host` looks at the spelling when a connection is
saved, `check_address` at what the name resolved to each time a session is opened. The pool connects to the very
address that was checked, so a name that changes its answer in between (DNS rebinding) gains nothing.
"""

import ipaddress
import re

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST_LENGTH_MAX = 253

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)", re.ASCII)

# Not private ranges: databases live there. These lead to cloud metadata services, to everybody or to nobody.
_NEVER: tuple[IPNetwork, ...] = (
    ipaddress.ip_network("0.0.0.0/8"),
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("224.0.0.0/3"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("192.0.0.192/32"),
    ipaddress.ip_network("::/128"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::254/128"),
    ipaddress.ip_network("ff00::/8"),
)

_EMBEDS_IPV4: tuple[ipaddress.IPv6Network, ...] = (
    ipaddress.IPv6Network("::/96"),
    ipaddress.IPv6Network("64:ff9b::/96"),
)


def plain_address(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one only wraps (mapped, compatible, NAT64, 6to4), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if int(address) > 1 and any(address in network for network in _EMBEDS_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def parse_host(host: str) -> IPAddress | str:
    """An address literal or a lower-case host name without a trailing dot.

    Raises `ValueError` for anything else, also for the odd spellings of addresses that resolvers accept
    (`127.1`, `0x7f.1`, `2130706433`, `0177.0.0.1`, zone ids, brackets).
    """
    if not host or len(host) > HOST_LENGTH_MAX:
        raise ValueError(f"a host has 1 to {HOST_LENGTH_MAX} characters")
    if "%" not in host:
        try:
            return ipaddress.ip_address(host)
        except ValueError:
            pass
    if _NAME.fullmatch(host) is None:
        raise ValueError("is not a host name or an IP address")
    name = host.rstrip(".").lower()
    if _NUMERIC_LABEL.fullmatch(name.rsplit(".", 1)[-1]):
        raise ValueError("write IP addresses in their usual form, such as 192.0.2.10 or 2001:db8::10")
    return name


def check_host(host: str, allowed: tuple[str, ...] = ()) -> None:
    """Raise `ValueError` unless a connection may name `host`; `allowed` as in `host_allowed`."""
    parsed = parse_host(host)
    if isinstance(parsed, str):
        if allowed and not _suffix_allowed(parsed, allowed) and not _networks(allowed):
            raise ValueError("is not among the hosts this gateway may reach (ORACLE_HOSTS_ALLOWED)")
        return
    check_address(parsed, allowed)


def host_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a connection may name `host`.

    `allowed` holds suffixes (`db.example.com` allows itself and what ends in `.db.example.com`; a leading dot is the
    same) and networks (`10.0.0.0/8`, also single addresses); empty allows every host but the ones that are never a
    database. With networks in the list any name passes here and is held against them once it is resolved.
    """
    try:
        check_host(host, allowed)
    except ValueError:
        return False
    return True


def check_address(address: IPAddress, allowed: tuple[str, ...] = (), *, named: str | None = None) -> None:
    """Raise `ValueError` unless a session may be opened to `address`, reached through the host name `named` if any.

    A name whose suffix is allowed may lead to any address but the ones that are never a database.
    """
    plain = plain_address(address)
    for candidate in {address, plain}:
        if any(candidate in network for network in _NEVER if network.version == candidate.version):
            raise ValueError("this address is never a database (link-local, metadata, multicast or unspecified)")
    if not allowed or (named is not None and _suffix_allowed(named, allowed)):
        return
    if not any(plain in network for network in _networks(allowed) if network.version == plain.version):
        raise ValueError("is not among the hosts this gateway may reach (ORACLE_HOSTS_ALLOWED)")


def parse_allowed(entries: tuple[str, ...]) -> tuple[str, ...]:
    """`entries` as they are if each is a suffix or a network; raises `ValueError` that names the first bad one."""
    for entry in entries:
        if _network(entry) is None and _NAME.fullmatch(entry.lstrip(".")) is None:
            raise ValueError(f"{entry!r} is neither a host name suffix nor a network such as 10.0.0.0/8")
    return entries


def _suffix_allowed(name: str, allowed: tuple[str, ...]) -> bool:
    for entry in allowed:
        suffix = entry.strip(".").lower()
        if _network(entry) is None and (name == suffix or name.endswith("." + suffix)):
            return True
    return False


def _networks(allowed: tuple[str, ...]) -> list[IPNetwork]:
    return [network for network in map(_network, allowed) if network is not None]


def _network(entry: str) -> IPNetwork | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
