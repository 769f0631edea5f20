"""How far a node's log is settled: whatever the order and repetition of its batches, nothing is counted twice."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from qg_store.engine import SessionFactory, make_engine, make_sessions
from qg_store.models import AccessSource
from qg_store.repositories import access_sources
from qg_store.repositories.access_sources import SEQUENCE_MAX, Watermark
from tests.fixtures.store import StoreUrls

_LENGTH = 40


class _Merge(msgspec.Struct, frozen=True):
    first: int
    last: int
    base: int


class _Model:
    """The same, number by number."""

    def __init__(self) -> None:
        self.settled: set[int] = set()
        self.base = 1
        self.lost = 0

    def merge(self, step: _Merge) -> tuple[int, int]:
        self.base = max(self.base, step.base)
        self.settled.update(range(step.first, step.last + 1))
        below = set(range(1, self.base))
        self.lost += len(below - self.settled)
        self.settled |= below
        persisted = 0
        while persisted + 1 in self.settled:
            persisted += 1
        return persisted, self.lost


@st.composite
def _steps(draw: st.DrawFn) -> list[_Merge]:
    """Batches of a log, shuffled and repeated, some missing, with a base that may be old or new."""
    cuts = sorted(draw(st.sets(st.integers(2, _LENGTH), max_size=12)) | {1, _LENGTH + 1})
    batches = [(first, after - 1) for first, after in pairwise(cuts)]
    chosen = draw(st.lists(st.sampled_from(batches), min_size=1, max_size=20))
    return [_Merge(first, last, draw(st.integers(1, _LENGTH + 5))) for first, last in chosen]


async def _merge(sessions: SessionFactory, log_id: str, steps: Sequence[_Merge]) -> list[Watermark]:
    async with sessions() as session:
        found = [
            await access_sources.merge(session, log_id, "node-1", [(step.first, step.last)], step.base)
            for step in steps
        ]
        await session.commit()
    return found


def test_against_a_count_by_hand(store_urls: StoreUrls) -> None:
    loop = asyncio.new_event_loop()
    engine = make_engine(store_urls.worker, pool_max=1)
    sessions = make_sessions(engine)
    turn = 0

    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(_steps())
    def check(steps: list[_Merge]) -> None:
        nonlocal turn
        turn += 1
        model = _Model()
        expected = [model.merge(step) for step in steps]
        found = loop.run_until_complete(_merge(sessions, f"log-{turn}", steps))
        assert [(mark.persisted, mark.lost) for mark in found] == expected
        assert all(one.persisted <= other.persisted for one, other in pairwise(found))

    try:
        check()
        assert turn >= 100
    finally:
        loop.run_until_complete(engine.dispose())
        loop.close()


async def test_the_order_does_not_matter(worker_sessions: SessionFactory) -> None:
    """Several workers, shuffled and repeated batches, nothing missing: all settled, none lost."""
    batches = [_Merge(first, first + 99, 1) for first in range(1, 5_001, 100)]
    piles = [batches[turn::3] + batches[turn::7] for turn in range(3)]
    piles[1].reverse()

    async def work(pile: Sequence[_Merge]) -> None:
        for step in pile:
            await _merge(worker_sessions, "log", [step])

    await asyncio.gather(*(work(pile) for pile in piles))
    async with worker_sessions() as session:
        assert await access_sources.watermarks(session) == [Watermark("log", 5_000, 0)]
        stored = await session.scalar(text("SELECT stored::text FROM access_sources"))
        assert stored == "{[1,5001)}"


async def test_a_gap_is_counted_once_and_a_late_arrival_changes_nothing(worker_sessions: SessionFactory) -> None:
    first = await _merge(worker_sessions, "log", [_Merge(1, 10, 1), _Merge(21, 30, 1)])
    assert first[-1] == Watermark("log", 10, 0)
    # The node says that it can't send anything below 21 any more.
    for _ in range(3):
        assert (await _merge(worker_sessions, "log", [_Merge(31, 40, 21)]))[-1] == Watermark("log", 40, 10)
    assert (await _merge(worker_sessions, "log", [_Merge(15, 18, 1)]))[-1] == Watermark("log", 40, 10)
    assert (await _merge(worker_sessions, "log", [_Merge(41, 41, 11)]))[-1] == Watermark("log", 41, 10)


async def test_a_base_alone_settles_what_is_below(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        assert await access_sources.merge(session, "log", "node-1", [], 8) == Watermark("log", 7, 7)
        assert await access_sources.merge(session, "log", "node-1", [(8, 9), (12, 12)], 8) == Watermark("log", 9, 7)
        assert await access_sources.merge(session, "log", "renamed", [(10, 11)], 8) == Watermark("log", 12, 7)
        await session.commit()
        (source,) = await access_sources.every(session)
    assert isinstance(source, AccessSource)
    assert (source.node, source.base, source.persisted, source.lost) == ("renamed", 8, 12, 7)


@pytest.mark.parametrize(
    ("ranges", "base"), [([(0, 3)], 1), ([(3, 2)], 1), ([(1, 2)], 0), ([(1, SEQUENCE_MAX + 1)], 1), ([], 2**63)]
)
async def test_numbers_that_can_not_be(
    worker_sessions: SessionFactory, ranges: list[tuple[int, int]], base: int
) -> None:
    async with worker_sessions() as session:
        with pytest.raises(ValueError, match="count from 1"):
            await access_sources.merge(session, "log", "node-1", ranges, base)
        assert await access_sources.watermarks(session) == []


async def test_very_large_numbers(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        found = await access_sources.merge(session, "log", "node-1", [(SEQUENCE_MAX, SEQUENCE_MAX)], SEQUENCE_MAX)
    assert found == Watermark("log", SEQUENCE_MAX, SEQUENCE_MAX - 1)


async def test_forgetting_silent_logs(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        for log_id in ("old", "new"):
            await access_sources.merge(session, log_id, "node-1", [(1, 1)], 1)
        await session.execute(
            text("UPDATE access_sources SET last_seen = now() - interval '40 days' WHERE log_id = 'old'")
        )
        assert await access_sources.prune(session, 30) == ["old"]
        assert [mark.log_id for mark in await access_sources.watermarks(session)] == ["new"]
