"""Who waits for a revision: bounded in all and per address."""

import asyncio

import pytest

from data_plane.refreshing import waiters
from data_plane.refreshing.waiters import Waiters
from qg_core.errors import RevisionNotReached


async def test_one_address_keeps_nobody_else_from_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "WAITERS_PER_NETWORK_MAX", 2)
    waiting = Waiters()
    tasks = [asyncio.create_task(waiting.wait_for(5, 4, "192.0.2.1")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(RevisionNotReached):
        await waiting.wait_for(5, 4, "192.0.2.1")
    tasks.append(asyncio.create_task(waiting.wait_for(5, 4, "192.0.2.2")))
    await asyncio.sleep(0)
    waiting.reached(5)
    await asyncio.gather(*tasks)
    assert waiting._waiting == {}
    assert dict(waiting._by_network) == {}


async def test_all_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "WAITERS_MAX", 2)
    waiting = Waiters()
    tasks = [asyncio.create_task(waiting.wait_for(5, 4, f"192.0.2.{number}")) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(RevisionNotReached):
        await waiting.wait_for(5, 4, "192.0.2.9")
    waiting.reached(6)
    await asyncio.gather(*tasks)
