"""What the connection routes read and answer."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from control_plane.input.kinds import Description, Line, Name, RowIdText
from qg_oracle.dsn import DSN_LENGTH_MAX
from qg_oracle.targets import ConnectionTarget, descriptor
from qg_store.models import Connection

DEFAULT_PORT = 1_521

Host = Annotated[str, Meta(min_length=1, max_length=253)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Protocol = Annotated[str, Meta(max_length=8, description="tcp or tcps", extra_json_schema={"enum": ["tcp", "tcps"]})]
Mode = Annotated[str, Meta(max_length=8, extra_json_schema={"enum": ["thin"]})]
Wallet = Annotated[str, Meta(min_length=1, max_length=65_536, description="PEM; write-only")]
Password = Annotated[str, Meta(min_length=1, max_length=1_024, description="Write-only")]
Dsn = Annotated[str, Meta(min_length=1, max_length=DSN_LENGTH_MAX, description="(DESCRIPTION=...) instead of host")]
PoolMin = Annotated[int, Meta(ge=0, le=100)]
PoolMax = Annotated[int, Meta(ge=1, le=100)]
Seconds = Annotated[int, Meta(ge=1, le=3_600)]
FunctionName = Annotated[
    str,
    Meta(min_length=1, max_length=400, pattern=r"^[A-Za-z][A-Za-z0-9_$#]*(\.[A-Za-z][A-Za-z0-9_$#]*){0,2}(?![\s\S])"),
]
FunctionNames = Annotated[tuple[FunctionName, ...], Meta(max_length=200)]


class ConnectionCreate(Struct, frozen=True, kw_only=True):
    name: Name
    username: Line
    password: Password
    description: Description = ""
    host: Host | None = None
    port: Port | None = None
    service_name: Line | None = None
    sid: Line | None = None
    protocol: Protocol | None = None
    dsn: Dsn | None = None
    wallet: Wallet | None = None
    server_dn: Description | None = None
    pool_min: PoolMin = 1
    pool_max: PoolMax = 5
    pool_timeout: Seconds = 10
    query_timeout: Seconds = 30
    mode: Mode = "thin"
    allowed_functions: FunctionNames = ()
    is_active: bool = True

    def __repr__(self) -> str:
        return "ConnectionCreate(...)"


class ConnectionUpdate(Struct, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET
    username: Line | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    host: Host | UnsetType | None = UNSET
    port: Port | UnsetType | None = UNSET
    service_name: Line | UnsetType | None = UNSET
    sid: Line | UnsetType | None = UNSET
    protocol: Protocol | UnsetType | None = UNSET
    dsn: Dsn | UnsetType | None = UNSET
    wallet: Wallet | UnsetType | None = UNSET
    server_dn: Description | UnsetType | None = UNSET
    pool_min: PoolMin | UnsetType = UNSET
    pool_max: PoolMax | UnsetType = UNSET
    pool_timeout: Seconds | UnsetType = UNSET
    query_timeout: Seconds | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    allowed_functions: FunctionNames | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET

    def __repr__(self) -> str:
        return "ConnectionUpdate(...)"


class ActiveQuery(Struct, frozen=True, kw_only=True):
    active_only: bool = False


class ConnectionView(Struct, frozen=True, kw_only=True):
    """`host`, `port` and `protocol` are null where the connection was given as a `dsn`, and the other way round."""

    id: RowIdText
    name: str
    description: str
    host: str | None
    port: int | None
    protocol: str | None
    service_name: str | None
    sid: str | None
    server_dn: str | None
    dsn: str | None
    username: str
    has_password: bool
    has_wallet: bool
    pool_min: int
    pool_max: int
    pool_timeout: int
    query_timeout: int
    mode: str
    allowed_functions: tuple[str, ...]
    is_active: bool
    created_at: datetime
    updated_at: datetime


class TestAnswer(Struct, frozen=True, kw_only=True):
    """The outcome of a test."""

    __test__ = False  # no test class, whatever pytest thinks of its name

    success: bool
    message: str
    duration_ms: float
    oracle_version: str | None
    warnings: tuple[str, ...]


def connection_view(row: Connection) -> ConnectionView:
    """What is shown of a connection: everything but its password and wallet."""
    first = row.addresses[0]
    return ConnectionView(
        id=row.id,
        name=row.name,
        description=row.description,
        host=None if row.from_dsn else first.host,
        port=None if row.from_dsn else first.port,
        protocol=None if row.from_dsn else first.protocol,
        service_name=row.service_name,
        sid=row.sid,
        server_dn=row.server_dn,
        dsn=descriptor(_place_alone(row)) if row.from_dsn else None,
        username=row.username,
        has_password=True,
        has_wallet=row.has_wallet,
        pool_min=row.pool_min,
        pool_max=row.pool_max,
        pool_timeout=row.pool_timeout_s,
        query_timeout=row.query_timeout_s,
        mode="thin",
        allowed_functions=row.allowed_functions,
        is_active=row.is_active,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _place_alone(row: Connection) -> ConnectionTarget:
    return ConnectionTarget(
        connection_id=row.id,
        addresses=row.addresses,
        service_name=row.service_name,
        sid=row.sid,
        username="",
        password="",
        load_balance=row.load_balance,
        failover=row.failover,
    )
