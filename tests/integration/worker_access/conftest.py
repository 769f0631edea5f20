"""A sink per test, over its own database and Redis, and a node that sends what the test wants."""

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.store import StoreUrls
from tests.integration.worker_access.rig import SinkRig


@pytest.fixture
async def rig(store_urls: StoreUrls, redis_url: str) -> AsyncIterator[SinkRig]:
    found = SinkRig(store_urls, redis_url)
    try:
        yield found
    finally:
        await found.close()
