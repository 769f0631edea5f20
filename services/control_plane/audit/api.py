"""`/api/v1/admin/audit-log`."""

from datetime import datetime
from typing import Annotated

from litestar import Response, get
from msgspec import Meta, Struct

from control_plane.audit.service import AuditLog
from control_plane.input.kinds import Moment, utc_moment
from control_plane.input.requests import AnyRequest, read_query
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs

_Text = Annotated[str, Meta(min_length=1, max_length=255)]


class AuditQuery(Struct, frozen=True, kw_only=True):
    """`subject` is an id, a kind, or `kind:id`; `cursor` the `next_cursor` of the page before."""

    since: Moment | None = None
    until: Moment | None = None
    actor: _Text | None = None
    action: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    subject: _Text | None = None
    request_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    cursor: Annotated[str, Meta(min_length=1, max_length=18, pattern=r"^[0-9]+(?![\s\S])")] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class AuditView(Struct, frozen=True, kw_only=True):
    id: int
    at: datetime
    actor: str
    actor_id: str | None
    action: str
    subject_kind: str
    subject_id: str | None
    summary: str
    revision: int | None
    request_id: str | None
    remote_ip: str | None


class AuditPage(Struct, frozen=True, kw_only=True):
    items: tuple[AuditView, ...]
    next_cursor: str | None


def audit_routes(service: AuditLog) -> Routes:
    """Who did what."""

    @get("/", opt=needs(Role.VIEWER, query=AuditQuery, answer=AuditPage))
    async def list_audit(request: AnyRequest) -> Response[bytes]:
        """Entries, newest first."""
        wanted = read_query(request, AuditQuery)
        entries, more = await service.page(
            since=utc_moment(wanted.since, "since"),
            until=utc_moment(wanted.until, "until"),
            actor=wanted.actor,
            action=wanted.action,
            subject=wanted.subject,
            request_id=wanted.request_id,
            before_id=int(wanted.cursor) if wanted.cursor is not None else None,
            limit=wanted.limit,
        )
        items = tuple(
            AuditView(**{name: getattr(entry, name) for name in AuditView.__struct_fields__}) for entry in entries
        )
        return answer(AuditPage(items=items, next_cursor=str(items[-1].id) if more else None))

    return Routes("/api/v1/admin/audit-log", route_handlers=[list_audit])
