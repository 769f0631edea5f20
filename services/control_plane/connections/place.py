"""Where a connection leads: host and names, or a dsn, merged with what is stored and checked as a whole."""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType

from control_plane.connections.views import DEFAULT_PORT, ConnectionCreate, ConnectionUpdate
from qg_core.errors import FieldProblem
from qg_core.specs import Address
from qg_oracle.dsn import parse_dsn
from qg_oracle.hosts import check_host
from qg_oracle.targets import check_address_values, check_connect_values
from qg_store.models import Connection

ValueT = TypeVar("ValueT")

_WRITTEN_OUT = ("host", "port", "protocol", "service_name", "sid")


class Place(Struct, frozen=True, kw_only=True):
    """One database, whichever way it was written."""

    from_dsn: bool
    addresses: tuple[Address, ...]
    load_balance: bool
    failover: bool
    service_name: str | None
    sid: str | None


def place_of(row: Connection) -> Place:
    """Where a stored connection leads."""
    return Place(
        from_dsn=row.from_dsn,
        addresses=row.addresses,
        load_balance=row.load_balance,
        failover=row.failover,
        service_name=row.service_name,
        sid=row.sid,
    )


def merged_place(
    wanted: ConnectionCreate | ConnectionUpdate,
    stored: Place | None,
    hosts_allowed: Sequence[str],
    problems: list[FieldProblem],
) -> Place | None:
    """Where the connection leads after the save; null when there are problems."""
    written = [name for name in _WRITTEN_OUT if getattr(wanted, name) not in (None, UNSET)]
    if wanted.dsn not in (None, UNSET):
        if written:
            problems.append(FieldProblem("dsn", f"stands instead of {', '.join(written)}: give one or the other"))
            return None
        return _from_dsn(str(wanted.dsn), hosts_allowed, problems)
    if stored is not None and not written and wanted.service_name is UNSET and wanted.sid is UNSET:
        return stored
    return _from_fields(wanted, stored, hosts_allowed, problems)


def _from_dsn(dsn: str, hosts_allowed: Sequence[str], problems: list[FieldProblem]) -> Place | None:
    try:
        parsed = parse_dsn(dsn)
    except ValueError as error:
        problems.append(FieldProblem("dsn", str(error)))
        return None
    before = len(problems)
    for address in parsed.addresses:
        _check_host("dsn", address.host, hosts_allowed, problems)
    if len(problems) > before:
        return None
    return Place(
        from_dsn=True,
        addresses=parsed.addresses,
        load_balance=parsed.load_balance,
        failover=parsed.failover,
        service_name=parsed.service_name,
        sid=parsed.sid,
    )


def _from_fields(
    wanted: ConnectionCreate | ConnectionUpdate,
    stored: Place | None,
    hosts_allowed: Sequence[str],
    problems: list[FieldProblem],
) -> Place | None:
    before = len(problems)
    old = stored.addresses[0] if stored is not None and not stored.from_dsn else None
    host = _given(wanted.host, old.host if old else None)
    if host is None:
        problems.append(FieldProblem("host", "is required, or a dsn"))
    else:
        _check_host("host", host, hosts_allowed, problems)
    address = Address(
        protocol=_given(wanted.protocol, old.protocol if old else None) or "tcp",
        host=host or "missing",
        port=_given(wanted.port, old.port if old else None) or DEFAULT_PORT,
    )
    if address.protocol not in {"tcp", "tcps"}:
        problems.append(FieldProblem("protocol", "must be tcp or tcps"))
    service_name, sid = _names(wanted, stored)
    try:
        check_connect_values(service_name, sid)
    except ValueError as error:
        problems.append(FieldProblem("sid" if service_name is None and sid is not None else "service_name", str(error)))
    if len(problems) > before:
        return None
    try:
        check_address_values(address)
    except ValueError as error:
        problems.append(FieldProblem("host", str(error)))
        return None
    return Place(
        from_dsn=False, addresses=(address,), load_balance=False, failover=True, service_name=service_name, sid=sid
    )


def _names(wanted: ConnectionCreate | ConnectionUpdate, stored: Place | None) -> tuple[str | None, str | None]:
    """Service name and SID; giving one of them alone replaces the other."""
    service_name = _given(wanted.service_name, stored.service_name if stored else None)
    sid = _given(wanted.sid, stored.sid if stored else None)
    if stored is not None and isinstance(wanted.sid, str) and wanted.service_name is UNSET:
        service_name = None
    if stored is not None and isinstance(wanted.service_name, str) and wanted.sid is UNSET:
        sid = None
    return service_name, sid


def _given(value: ValueT | UnsetType | None, otherwise: ValueT | None) -> ValueT | None:
    return otherwise if value is UNSET else value


def _check_host(field: str, host: str, hosts_allowed: Sequence[str], problems: list[FieldProblem]) -> None:
    try:
        check_host(host, tuple(hosts_allowed))
    except ValueError as error:
        problems.append(FieldProblem(field, f"{host!r} {error}"))
