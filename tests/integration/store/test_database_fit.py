"""Whether a database can be worked with: the sentence says what to do."""

from collections.abc import Callable

import pytest

from qg_store.migrations.roles import APP, WORKER
from tests.fixtures.store import StoreUrls
from tests.integration.store.fitness import problem


@pytest.mark.parametrize(
    ("user", "role", "fits"),
    [
        (lambda urls: urls.app, APP, True),
        (lambda urls: urls.worker, WORKER, True),
        (lambda urls: urls.app, WORKER, False),
        (lambda urls: urls.worker, APP, False),
    ],
)
async def test_the_user_must_be_of_the_services_role(
    store_urls: StoreUrls, user: Callable[[StoreUrls], str], role: str, fits: bool
) -> None:
    found = await problem(user(store_urls), role)
    if fits:
        assert found is None
    else:
        assert found is not None
        assert f"GRANT {role} TO" in found


async def test_an_empty_database_is_to_be_migrated(postgres_database: str) -> None:
    found = await problem(postgres_database, WORKER)
    assert found is not None
    assert "querygateway migrate" in found
