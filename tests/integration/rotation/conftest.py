"""A gateway with one row of each kind that has a secret, and rotations of its keys."""

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.store import StoreUrls
from tests.integration.rotation.turning import Turning


@pytest.fixture
async def turning(store_urls: StoreUrls, redis_url: str) -> AsyncIterator[Turning]:
    found = await Turning.begin(store_urls, redis_url)
    yield found
    await found.close()
