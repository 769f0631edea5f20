"""What a pool connects to, in plaintext, and the connect descriptor rebuilt from its parsed values."""

import hashlib
import re

import msgspec

from qg_core.specs import Address, ConnectionSecret, ConnectionSpec
from qg_oracle.hosts import parse_host

PROTOCOLS = ("tcp", "tcps")
ADDRESSES_MAX = 16

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._$#-]{0,127}", re.ASCII)
_SID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_$#]{0,63}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ConnectionTarget(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """Where, as whom and within which limits to reach one database; exactly one of `service_name` and `sid`.

    `wallet` is PEM: certificates to trust and, for mutual TLS, a certificate with its unencrypted key.
    """

    connection_id: str
    addresses: tuple[Address, ...]
    service_name: str | None
    sid: str | None
    username: str
    password: str
    load_balance: bool = False
    failover: bool = True
    server_dn: str | None = None
    wallet: str | None = None
    pool_min: int = 1
    pool_max: int = 5
    pool_timeout_s: int = 10
    query_timeout_s: int = 30

    def __repr__(self) -> str:
        return f"ConnectionTarget(connection_id={self.connection_id!r}, ...)"

    __str__ = __repr__


def target_of(spec: ConnectionSpec, secret: ConnectionSecret) -> ConnectionTarget:
    """The target of a published connection and its opened secret."""
    return ConnectionTarget(
        connection_id=spec.id,
        addresses=spec.addresses,
        service_name=spec.service_name,
        sid=spec.sid,
        username=spec.username,
        password=secret.password,
        load_balance=spec.load_balance,
        failover=spec.failover,
        server_dn=spec.server_dn,
        wallet=secret.wallet,
        pool_min=spec.pool_min,
        pool_max=spec.pool_max,
        pool_timeout_s=spec.pool_timeout_s,
        query_timeout_s=spec.query_timeout_s,
    )


def fingerprint(target: ConnectionTarget, key: bytes) -> str:
    """Names the pool of a target: a keyed BLAKE2b of everything in it, so equal fingerprints share sessions.

    `key` is random per process (16 to 64 bytes): the digest of a password must not be worth stealing.
    """
    return hashlib.blake2b(msgspec.msgpack.encode(target), key=key, digest_size=16).hexdigest()


def check_target(target: ConnectionTarget) -> None:
    """Raise `ValueError` unless every value can be written into a descriptor as it is."""
    if not 1 <= len(target.addresses) <= ADDRESSES_MAX:
        raise ValueError(f"a connection has 1 to {ADDRESSES_MAX} addresses")
    for address in target.addresses:
        check_address_values(address)
    check_connect_values(target.service_name, target.sid)
    for name, value in (("username", target.username), ("server_dn", target.server_dn or "")):
        if _CONTROL.search(value):
            raise ValueError(f"{name} holds control characters")


def check_address_values(address: Address) -> None:
    """Raise `ValueError` unless protocol, host and port are plain values."""
    if address.protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}")
    if not 1 <= address.port <= 65_535:
        raise ValueError("port must be from 1 to 65535")
    parse_host(address.host)


def check_connect_values(service_name: str | None, sid: str | None) -> None:
    """Raise `ValueError` unless exactly one is given and it needs no escaping in a descriptor."""
    if (service_name is None) == (sid is None):
        raise ValueError("exactly one of service_name and sid is needed")
    if service_name is not None and _SERVICE.fullmatch(service_name) is None:
        raise ValueError("service_name may hold letters, digits and . _ $ # - only, at most 128")
    if sid is not None and _SID.fullmatch(sid) is None:
        raise ValueError("sid may hold letters, digits and _ $ # only, at most 64")


def descriptor(target: ConnectionTarget, addresses: tuple[Address, ...] | None = None) -> str:
    """The `(DESCRIPTION=...)` of a target, or of some of its addresses; raises `ValueError` on unfit values.

    Begins with a parenthesis, so the driver takes it for nothing but a descriptor (no alias, no URL, no file), and
    holds nothing but addresses and connect data: TLS settings and the credential go to the driver as arguments.
    """
    check_target(target)
    chosen = target.addresses if addresses is None else addresses
    for address in chosen:
        check_address_values(address)
    lines = "".join(f"(ADDRESS=(PROTOCOL={item.protocol})(HOST={item.host})(PORT={item.port}))" for item in chosen)
    if len(chosen) > 1:
        balance, failover = _on(target.load_balance), _on(target.failover)
        lines = f"(ADDRESS_LIST=(LOAD_BALANCE={balance})(FAILOVER={failover}){lines})"
    name = f"SERVICE_NAME={target.service_name}" if target.service_name is not None else f"SID={target.sid}"
    return f"(DESCRIPTION={lines}(CONNECT_DATA=({name})))"


def _on(flag: bool) -> str:
    return "ON" if flag else "OFF"
