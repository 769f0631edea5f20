"""Sessions of the two roles that services have."""

from collections.abc import AsyncIterator

import pytest

from qg_store.engine import SessionFactory, make_engine, make_sessions
from tests.fixtures.store import StoreUrls


@pytest.fixture
async def app_sessions(store_urls: StoreUrls) -> AsyncIterator[SessionFactory]:
    """Sessions of the control plane's role."""
    engine = make_engine(store_urls.app, pool_max=5)
    yield make_sessions(engine)
    await engine.dispose()


@pytest.fixture
async def worker_sessions(store_urls: StoreUrls) -> AsyncIterator[SessionFactory]:
    """Sessions of the workers' role, enough of them for a race."""
    engine = make_engine(store_urls.worker, pool_max=12)
    yield make_sessions(engine)
    await engine.dispose()
