"""Whether the database's schema is one this release can work with."""

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.migrate import SCRIPTS


async def schema_problem(session: AsyncSession) -> str | None:
    """A sentence when the schema is missing or older than this release needs, else null.

    A newer one is fine: migrations run before the new release, while the old one still serves.
    """
    script = ScriptDirectory(str(SCRIPTS))
    newest = script.get_current_head()
    try:
        found = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    except ProgrammingError:
        found = None
    if found is None:
        return "the database was never migrated for this role: run `querygateway migrate`"
    known = {revision.revision for revision in script.walk_revisions()}
    if found != newest and found in known:
        return f"the database is at migration {found}, this release needs {newest}: run `querygateway migrate`"
    return None
