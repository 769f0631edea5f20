"""`/api/v1/admin/revisions`."""

from datetime import datetime
from typing import Annotated

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta, Struct

from control_plane.edge.visit import actor_of
from control_plane.input.requests import AnyRequest, read_query, refuse_body
from control_plane.publishing.rollback import Rollback
from control_plane.revisions.service import Comparison, Revisions
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs
from qg_core.errors import FieldProblem, InvalidInput
from qg_store.models import Revision

_NUMBER_MAX = 2**63 - 1

Number = Annotated[int, Meta(ge=1, le=_NUMBER_MAX)]


class RevisionQuery(Struct, frozen=True, kw_only=True):
    """`before` continues below a revision."""

    before: Number | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class RevisionView(Struct, frozen=True, kw_only=True):
    """`activated_at` is null until Redis has it."""

    revision: int
    previous: int
    actor: str
    summary: str
    created_at: datetime
    activated_at: datetime | None


class ChangeView(Struct, frozen=True, kw_only=True):
    """`digest` names the new spec; null for a removal."""

    kind: str
    id: str
    digest: str | None


class RevisionDetail(Struct, frozen=True, kw_only=True):
    revision: int
    previous: int
    actor: str
    summary: str
    created_at: datetime
    activated_at: datetime | None
    changes: tuple[ChangeView, ...]


class RollbackAnswer(Struct, frozen=True, kw_only=True):
    """`left_out` says what could not be brought back."""

    revision: int
    left_out: tuple[str, ...]


def revision_routes(service: Revisions, rollback: Rollback) -> Routes:
    """What was published when."""

    @get("/", opt=needs(Role.VIEWER, query=RevisionQuery, answer=list[RevisionView]))
    async def list_revisions(request: AnyRequest) -> Response[bytes]:
        """Revisions, newest first."""
        wanted = read_query(request, RevisionQuery)
        return answer([_view(row) for row in await service.page(wanted.before, wanted.limit)])

    @get("/{revision:str}", opt=needs(Role.VIEWER, answer=RevisionDetail))
    async def get_revision(revision: FromPath[str]) -> Response[bytes]:
        """One revision and what it changed."""
        row, changes = await service.one(_number(revision, "revision"))
        shown = tuple(ChangeView(kind=item.kind, id=item.subject_id, digest=item.digest) for item in changes)
        return answer(
            RevisionDetail(
                revision=row.revision,
                previous=row.previous,
                actor=row.actor,
                summary=row.summary,
                created_at=row.created_at,
                activated_at=row.activated_at,
                changes=shown,
            )
        )

    @get("/{revision:str}/diff/{other:str}", opt=needs(Role.VIEWER, answer=Comparison))
    async def compare_revisions(revision: FromPath[str], other: FromPath[str]) -> Response[bytes]:
        """What differs from one revision to another."""
        return answer(await service.compare(_number(revision, "revision"), _number(other, "other")))

    @post("/{revision:str}/rollback", opt=needs(Role.ADMIN, answer=RollbackAnswer), status_code=200)
    async def roll_back(request: AnyRequest, revision: FromPath[str]) -> Response[bytes]:
        """Publish the definitions of an old revision under a new one; secrets and revocations stay as they are."""
        number = _number(revision, "revision")
        await refuse_body(request)
        done = await rollback.to(number, actor_of(request.scope))
        return answer(RollbackAnswer(revision=done.revision, left_out=done.left_out), revision=done.revision)

    return Routes(
        "/api/v1/admin/revisions", route_handlers=[list_revisions, get_revision, compare_revisions, roll_back]
    )


def _view(row: Revision) -> RevisionView:
    return RevisionView(
        revision=row.revision,
        previous=row.previous,
        actor=row.actor,
        summary=row.summary,
        created_at=row.created_at,
        activated_at=row.activated_at,
    )


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= _NUMBER_MAX):
        raise InvalidInput([FieldProblem(field, "must be a revision's number")])
    return int(text)
