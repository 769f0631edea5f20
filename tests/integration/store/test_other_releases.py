"""A release beside the tables of another one, as while an upgrade is going on (docs/operations.md)."""

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from qg_store import migrate, revisions
from qg_store.migrations.roles import APP, WORKER
from tests.fixtures.store import StoreUrls
from tests.integration.store.fitness import problem


async def test_on_older_tables_a_service_asks_for_the_migration(store_urls: StoreUrls) -> None:
    newest = ScriptDirectory(str(revisions.SCRIPTS)).get_revision("head")
    assert newest is not None
    migrate.downgrade(store_urls.superuser, str(newest.down_revision))
    for url, role in ((store_urls.app, APP), (store_urls.worker, WORKER)):
        said = await problem(url, role)
        assert said is not None
        assert said.endswith(f"this release needs {newest.revision}: run `querygateway migrate`")


@pytest.mark.parametrize("role", [APP, WORKER])
async def test_on_newer_tables_a_service_goes_on(store_urls: StoreUrls, role: str) -> None:
    connection = await asyncpg.connect(store_urls.superuser)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    assert await problem(store_urls.app if role == APP else store_urls.worker, role) is None
