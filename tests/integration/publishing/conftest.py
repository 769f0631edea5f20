"""One control plane's publishing per test, with its loops stopped unless the test starts them."""

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.store import StoreUrls
from tests.integration.publishing.rig import Rig


@pytest.fixture
async def rig(store_urls: StoreUrls, redis_url: str) -> AsyncIterator[Rig]:
    found = Rig(store_urls.app, redis_url)
    yield found
    await found.close()
