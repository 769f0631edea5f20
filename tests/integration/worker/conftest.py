"""One gateway without a control plane process per test; tests start the workers they need."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qg_devstack.servers import StandinAddress
from tests.fixtures.store import StoreUrls
from tests.integration.worker.rig import WorkerRig


@pytest.fixture
async def gate(
    store_urls: StoreUrls, redis_url: str, standin_server: StandinAddress, tmp_path: Path
) -> AsyncIterator[WorkerRig]:
    found = WorkerRig(store_urls, redis_url, standin_server, tmp_path)
    try:
        await found.begin()
        yield found
    finally:
        await found.close()
