"""Whether the database is one that this release, as this user, can work with."""

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store import revisions

_MEMBERSHIP = text(
    "SELECT current_user, EXISTS (SELECT FROM pg_roles WHERE rolname = :role AND pg_has_role(oid, 'MEMBER'))"
)


async def database_problem(session: AsyncSession, role: str) -> str | None:
    """A sentence when the database can't be worked with, else null; it says what to do.

    `role` is the group that this service's database user must belong to (`migrations.roles`). A schema that is newer
    is fine: migrations run before the new release, while the old one still serves.
    """
    user, is_member = (await session.execute(_MEMBERSHIP, {"role": role})).one()
    if not is_member:
        return f"the database user {user} is not in {role}: run `querygateway migrate`, then GRANT {role} TO {user}"
    try:
        found = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    except ProgrammingError:
        found = None
    if found is None:
        return "the database was never migrated: run `querygateway migrate`"
    newest = revisions.head()
    if found != newest and revisions.is_known(found):
        return f"the database is at migration {found}, this release needs {newest}: run `querygateway migrate`"
    return None
