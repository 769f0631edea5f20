"""What the endpoint routes read and answer."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from control_plane.input.kinds import Description, Name, RowIdText
from qg_core.parameters import Parameter
from qg_core.specs import DataStrategy, NumberStyle
from qg_store.models import Endpoint

SQL_BYTES_MAX = 65_536
ROWS_DEFAULT = 1_000
BYTES_DEFAULT = 268_435_456
CONCURRENCY_DEFAULT = 5

Path = Annotated[str, Meta(min_length=1, max_length=500, description="[a-z0-9][a-z0-9_/-]*; lower-cased")]
SqlText = Annotated[str, Meta(min_length=1, max_length=SQL_BYTES_MAX)]
BindName = Annotated[str, Meta(min_length=1, max_length=128)]
ColumnName = Annotated[str, Meta(min_length=1, max_length=128)]
ParamSchema = Annotated[dict[BindName, Parameter], Meta(max_length=200)]
ColumnMap = Annotated[dict[ColumnName, ColumnName], Meta(max_length=1_000)]
Rows = Annotated[int, Meta(ge=1, le=5_000_000)]
Bytes = Annotated[int, Meta(ge=1_024, le=10_737_418_240)]
TimeoutMs = Annotated[int, Meta(ge=1, le=3_600_000)]
Concurrency = Annotated[int, Meta(ge=1, le=1_000)]
Version = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9._-]+(?![\s\S])")]
Note = Annotated[str, Meta(max_length=1_000)]
PreviewRows = Annotated[int, Meta(ge=1, le=100)]
PreviewText = Annotated[str, Meta(max_length=4_000)]
PreviewValue = PreviewText | int | float | bool | None


class EndpointCreate(Struct, frozen=True, kw_only=True):
    name: Name
    path: Path
    connection_id: RowIdText
    sql_text: SqlText
    description: Description = ""
    auth_method_id: RowIdText | None = None
    allow_unauthenticated: bool = False
    param_schema: ParamSchema = {}
    column_map: ColumnMap = {}
    data_strategy: DataStrategy = DataStrategy.LIVE
    numbers: NumberStyle = NumberStyle.NUMBER
    rows_max: Rows = ROWS_DEFAULT
    bytes_max: Bytes = BYTES_DEFAULT
    timeout_ms: TimeoutMs | None = None
    concurrency_max: Concurrency = CONCURRENCY_DEFAULT
    is_active: bool = True
    is_deprecated: bool = False
    deprecation_note: Note | None = None
    version: Version = "v1"


class EndpointUpdate(Struct, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET
    path: Path | UnsetType = UNSET
    connection_id: RowIdText | UnsetType = UNSET
    sql_text: SqlText | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    auth_method_id: RowIdText | UnsetType | None = UNSET
    allow_unauthenticated: bool | UnsetType = UNSET
    param_schema: ParamSchema | UnsetType = UNSET
    column_map: ColumnMap | UnsetType = UNSET
    data_strategy: DataStrategy | UnsetType = UNSET
    numbers: NumberStyle | UnsetType = UNSET
    rows_max: Rows | UnsetType = UNSET
    bytes_max: Bytes | UnsetType = UNSET
    timeout_ms: TimeoutMs | UnsetType | None = UNSET
    concurrency_max: Concurrency | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    is_deprecated: bool | UnsetType = UNSET
    deprecation_note: Note | UnsetType | None = UNSET
    version: Version | UnsetType = UNSET


class EndpointQuery(Struct, frozen=True, kw_only=True):
    active_only: bool = False
    public: bool | None = None


class EndpointView(Struct, frozen=True, kw_only=True):
    """`warnings`: what the database said against the statement when it was checked on save (only in that answer)."""

    id: RowIdText
    name: str
    description: str
    path: str
    version: str
    connection_id: RowIdText
    auth_method_id: RowIdText | None
    allow_unauthenticated: bool
    sql_text: str
    param_schema: dict[str, Parameter]
    column_map: dict[str, str]
    data_strategy: DataStrategy
    numbers: NumberStyle
    rows_max: int
    bytes_max: int
    timeout_ms: int | None
    concurrency_max: int
    is_active: bool
    is_deprecated: bool
    deprecation_note: str | None
    created_at: datetime
    updated_at: datetime
    warnings: tuple[str, ...] = ()


class PreviewRequest(Struct, frozen=True, kw_only=True):
    connection_id: RowIdText
    sql_text: SqlText
    params: Annotated[dict[BindName, PreviewValue], Meta(max_length=200)] = {}
    max_rows: PreviewRows = 10


class PreviewAnswer(Struct, frozen=True, kw_only=True):
    """`rows` are objects by column name; `bind_params` the names of the statement's binds."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    row_count: int
    bind_params: tuple[str, ...]
    duration_ms: float
    truncated: bool


class PreviewAnswerRaw(Struct, frozen=True, kw_only=True):
    """`PreviewAnswer` with the rows as the JSON text they already are, so that every digit stays."""

    columns: tuple[str, ...]
    rows: msgspec.Raw
    row_count: int
    bind_params: tuple[str, ...]
    duration_ms: float
    truncated: bool


def endpoint_view(row: Endpoint, warnings: tuple[str, ...] = ()) -> EndpointView:
    """What is shown of an endpoint."""
    return EndpointView(
        id=row.id,
        name=row.name,
        description=row.description,
        path=row.path,
        version=row.version,
        connection_id=row.connection_id,
        auth_method_id=row.auth_method_id,
        allow_unauthenticated=row.allow_unauthenticated,
        sql_text=row.sql_text,
        param_schema=row.param_schema,
        column_map=row.column_map,
        data_strategy=DataStrategy(row.data_strategy),
        numbers=NumberStyle(row.numbers),
        rows_max=row.rows_max,
        bytes_max=row.bytes_max,
        timeout_ms=row.timeout_ms,
        concurrency_max=row.concurrency_max,
        is_active=row.is_active,
        is_deprecated=row.is_deprecated,
        deprecation_note=row.deprecation_note,
        created_at=row.created_at,
        updated_at=row.updated_at,
        warnings=warnings,
    )
