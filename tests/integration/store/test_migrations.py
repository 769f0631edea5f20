"""The migrations on a real Postgres: up, down, up again; and what they make is what the models say."""

import re

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from qg_devstack.databases import create_database, drop_database
from qg_devstack.servers import PostgresAddress
from qg_store import migrate, revisions
from qg_store.engine import asyncpg_url
from qg_store.migrations.partitions import is_modelled
from qg_store.models import Base
from tests.fixtures.store import StoreUrls

_SHAPE = """
SELECT 'column', c.table_name || '.' || c.column_name,
       concat_ws(' ', c.data_type, c.character_maximum_length, c.is_nullable, c.column_default, c.is_identity)
FROM information_schema.columns c WHERE c.table_schema = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'function', proname, pg_get_functiondef(oid) || coalesce(proacl::text, '')
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


async def _shape(url: str) -> set[tuple[str, str, str]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(_SHAPE)
    finally:
        await connection.close()
    return {tuple(row) for row in rows if "alembic_version" not in row[1]}


async def test_up_down_up(postgres_database: str) -> None:
    assert migrate.current(postgres_database) is None
    migrate.upgrade(postgres_database)
    first = await _shape(postgres_database)
    assert migrate.current(postgres_database) == revisions.head()
    migrate.downgrade(postgres_database, "base")
    assert await _shape(postgres_database) == set()
    migrate.upgrade(postgres_database)
    assert await _shape(postgres_database) == first
    migrate.upgrade(postgres_database)
    assert await _shape(postgres_database) == first


async def test_each_step_alone(postgres_database: str) -> None:
    """Every migration goes up and down by itself, not only all of them together."""
    known = revisions.known()
    shapes = []
    for revision in known:
        migrate.upgrade(postgres_database, revision)
        shapes.append(await _shape(postgres_database))
    for index in reversed(range(len(known) - 1)):
        assert shapes[index] != shapes[index + 1]
        migrate.downgrade(postgres_database, known[index])
        assert await _shape(postgres_database) == shapes[index]


async def test_models_and_migrations_agree(postgres_server: PostgresAddress, store_urls: StoreUrls) -> None:
    engine = create_async_engine(asyncpg_url(store_urls.superuser))
    options = {"compare_type": True, "compare_server_default": True, "include_name": is_modelled}
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts=options), Base.metadata)
        )
    await engine.dispose()
    assert differences == []

    # Alembic does not compare CHECK constraints: compare what Postgres itself makes of the models.
    url = create_database(postgres_server, "from_models_" + re.sub(r".*/", "", store_urls.superuser))
    engine = create_async_engine(asyncpg_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(text("CREATE TABLE access_log_default PARTITION OF access_log DEFAULT"))
    await engine.dispose()
    try:
        migrated = {row for row in await _shape(store_urls.superuser) if row[0] != "function"}
        assert await _shape(url) == migrated
    finally:
        drop_database(postgres_server, url.rsplit("/", 1)[1])


async def test_a_user_without_rights_is_told_what_is_missing(
    postgres_server: PostgresAddress, postgres_database: str
) -> None:
    from qg_store.migrations.roles import RolesUnavailable

    name = "nobody_" + postgres_database.rsplit("/", 1)[1]
    admin = await asyncpg.connect(postgres_database)
    await admin.execute(f"CREATE USER {name} PASSWORD 'x'")
    try:
        address = PostgresAddress(postgres_server.host, postgres_server.port, name, "x")
        with pytest.raises(RolesUnavailable, match="qg_owner"):
            migrate.upgrade(address.url(postgres_database.rsplit("/", 1)[1]))
    finally:
        await admin.execute(f"DROP USER {name}")
        await admin.close()


async def test_a_plain_database_owner_can_migrate_once_the_roles_exist(
    postgres_server: PostgresAddress, postgres_database: str, store_urls: StoreUrls
) -> None:
    """`store_urls` has made the roles; the platform grants `qg_owner` to the migrating user."""
    name = "migrator_" + postgres_database.rsplit("/", 1)[1]
    database = postgres_database.rsplit("/", 1)[1]
    admin = await asyncpg.connect(postgres_database)
    await admin.execute(f"CREATE USER {name} PASSWORD 'x' IN ROLE qg_owner")
    await admin.execute(f'ALTER DATABASE "{database}" OWNER TO {name}')
    try:
        address = PostgresAddress(postgres_server.host, postgres_server.port, name, "x")
        migrate.upgrade(address.url(database))
        owners = await admin.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert [row[0] for row in owners] == ["qg_owner"]
    finally:
        await admin.execute(f'ALTER DATABASE "{database}" OWNER TO postgres')
        await admin.execute(f"DROP OWNED BY {name}")
        await admin.execute(f"DROP USER {name}")
        await admin.close()
