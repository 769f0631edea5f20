"""What a service with a role finds wrong with a database."""

from qg_store.engine import make_engine, make_sessions
from qg_store.schema_version import database_problem


async def problem(url: str, role: str) -> str | None:
    """The sentence that says what to do; null when all is well."""
    engine = make_engine(url)
    try:
        async with make_sessions(engine)() as session:
            return await database_problem(session, role)
    finally:
        await engine.dispose()
