"""A gateway whose control plane only commits, and workers' reconciliation beside it, as the worker's database user."""

from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from tests.fixtures.store import StoreUrls
from tests.integration.publishing.rig import Rig
from tests.integration.worker_reconcile.backstop import FAST, Backstop
from worker.reconcile import Pace


class MakeBackstop(Protocol):
    """How to make one more."""

    def __call__(self, *, pace: Pace = ..., snapshots_redis_bytes_max: int = ...) -> Backstop: ...


@pytest.fixture
async def rig(store_urls: StoreUrls, redis_url: str) -> AsyncIterator[Rig]:
    """The control plane's publishing; its loops never start, so it activates only when a test says so."""
    found = Rig(store_urls.app, redis_url)
    yield found
    await found.close()


@pytest.fixture
async def make_backstop(rig: Rig, store_urls: StoreUrls, redis_url: str) -> AsyncIterator[MakeBackstop]:
    """Further workers, with a pace or a limit of their own."""
    made: list[Backstop] = []

    def make(*, pace: Pace = FAST, snapshots_redis_bytes_max: int = 100_000_000) -> Backstop:
        limit = snapshots_redis_bytes_max
        made.append(Backstop(store_urls.worker, redis_url, rig.keys, pace=pace, snapshots_redis_bytes_max=limit))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def backstop(make_backstop: MakeBackstop) -> Backstop:
    """One worker's reconciliation, not started."""
    return make_backstop()
