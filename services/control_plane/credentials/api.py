"""`/api/v1/admin/auth/{id}/credentials`."""

from litestar import Response, delete, get, post
from litestar.params import FromPath

from control_plane.credentials.service import Credentials, Issued
from control_plane.credentials.views import (
    CredentialCreate,
    CredentialView,
    IssuedCredential,
    credential_view,
    prefix_of,
)
from control_plane.edge.visit import actor_of
from control_plane.input.kinds import row_id
from control_plane.input.requests import AnyRequest, read_body
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs, no_content
from qg_core.specs import MethodType

_NOTE = "The secret is shown only now."


def credential_routes(service: Credentials) -> Routes:
    """Managing the credentials of one auth method."""

    @get("/", opt=needs(Role.VIEWER, answer=list[CredentialView]))
    async def list_credentials(method_id: FromPath[str]) -> Response[bytes]:
        """The credentials of a method that are not revoked."""
        found = await service.every(row_id(method_id))
        return answer([credential_view(row, found.method, found.last_used.get(row.id)) for row in found.credentials])

    @post("/", opt=needs(Role.EDITOR, body=CredentialCreate, answer=IssuedCredential))
    async def issue_credential(request: AnyRequest, method_id: FromPath[str]) -> Response[bytes]:
        """Issue a credential to a consumer and see its secret, this once."""
        identity = row_id(method_id)
        wanted = await read_body(request, CredentialCreate)
        issued, revision = await service.issue(identity, wanted, actor_of(request.scope))
        return answer(_shown(issued), status=201, revision=revision)

    @delete("/{credential_id:str}", opt=needs(Role.EDITOR))
    async def revoke_credential(
        request: AnyRequest, method_id: FromPath[str], credential_id: FromPath[str]
    ) -> Response[None]:
        """Revoke one consumer alone."""
        revision = await service.revoke(
            row_id(method_id), row_id(credential_id, "credential_id"), actor_of(request.scope)
        )
        return no_content(revision)

    return Routes(
        "/api/v1/admin/auth/{method_id:str}/credentials",
        route_handlers=[list_credentials, issue_credential, revoke_credential],
    )


def _shown(issued: Issued) -> IssuedCredential:
    method_type = MethodType(issued.method.method_type)
    row = issued.credential
    return IssuedCredential(
        id=row.id,
        consumer=row.consumer,
        method_type=method_type,
        prefix=prefix_of(row.id, issued.method),
        created_at=row.created_at,
        expires_at=row.expires_at,
        api_key=issued.secret if method_type is MethodType.API_KEY else None,
        token=issued.secret if method_type is MethodType.BEARER else None,
        username=row.consumer if method_type is MethodType.BASIC else None,
        password=issued.secret if method_type is MethodType.BASIC else None,
        note=_NOTE,
    )
