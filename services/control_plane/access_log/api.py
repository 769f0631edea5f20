"""`/api/v1/admin/access-log`."""

from datetime import datetime
from typing import Annotated

from litestar import Response, get
from msgspec import Meta, Struct

from control_plane.access_log.cursor import CURSOR_LENGTH_MAX, cursor_after, read_cursor
from control_plane.access_log.service import AccessLog
from control_plane.input.kinds import Moment, RowIdText, row_id, utc_moment
from control_plane.input.requests import AnyRequest, read_query
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs
from qg_store.models import AccessEntry
from qg_store.repositories.access_log import AccessFilter


class AccessQuery(Struct, frozen=True, kw_only=True):
    """All filters match exactly; `since` is included, `until` is not; `cursor` is the `next_cursor` of a page."""

    since: Moment | None = None
    until: Moment | None = None
    path: Annotated[str, Meta(min_length=1, max_length=1_024)] | None = None
    endpoint_id: RowIdText | None = None
    principal: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    status: Annotated[int, Meta(ge=100, le=599)] | None = None
    request_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    cursor: Annotated[str, Meta(min_length=1, max_length=CURSOR_LENGTH_MAX)] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class AccessView(Struct, frozen=True, kw_only=True):
    """`endpoint_id`, `principal`, `row_count` and so on are null where the request did not get so far."""

    event_id: str
    at: datetime
    request_id: str
    endpoint_id: str | None
    path: str
    method: str
    principal: str | None
    auth_method_id: str | None
    remote_ip: str | None
    status: int
    duration_ms: float
    row_count: int | None
    bytes: int
    revision: int | None
    node: str


class AccessPage(Struct, frozen=True, kw_only=True):
    items: tuple[AccessView, ...]
    next_cursor: str | None


def access_log_routes(service: AccessLog) -> Routes:
    """What data planes served and refused."""

    @get("/", opt=needs(Role.VIEWER, query=AccessQuery, answer=AccessPage))
    async def list_access(request: AnyRequest) -> Response[bytes]:
        """Requests, newest first."""
        wanted = read_query(request, AccessQuery)
        entries, more = await service.page(_filter(wanted), wanted.limit)
        items = tuple(access_view(entry) for entry in entries)
        return answer(
            AccessPage(items=items, next_cursor=cursor_after(items[-1].at, items[-1].event_id) if more else None)
        )

    return Routes("/api/v1/admin/access-log", route_handlers=[list_access])


def access_view(entry: AccessEntry) -> AccessView:
    """What is shown of one request."""
    return AccessView(**{name: getattr(entry, name) for name in AccessView.__struct_fields__})


def _filter(wanted: AccessQuery) -> AccessFilter:
    after = read_cursor(wanted.cursor) if wanted.cursor is not None else None
    return AccessFilter(
        since=utc_moment(wanted.since, "since"),
        until=utc_moment(wanted.until, "until"),
        before=(after.at, after.event_id) if after is not None else None,
        path=wanted.path,
        endpoint_id=row_id(wanted.endpoint_id, "endpoint_id") if wanted.endpoint_id is not None else None,
        principal=wanted.principal,
        status=wanted.status,
        request_id=wanted.request_id,
    )
