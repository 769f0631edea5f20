"""The nodes' logs on a real Postgres."""

from sqlalchemy import text
from sqlalchemy.dialects.postgresql.ranges import MultiRange, Range

from qg_store.engine import SessionFactory
from qg_store.models import AccessSource
from qg_store.repositories import access_sources
from qg_store.repositories.access_sources import SourceState


async def test_what_is_settled_is_kept_as_ranges(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        session.add(AccessSource(log_id="b", node="node-1"))
        session.add(
            AccessSource(
                log_id="a",
                node="node-2",
                stored=MultiRange([Range(1, 11), Range(21, 31)]),
                base=5,
                persisted=10,
                lost=2,
            )
        )
        await session.commit()
    async with worker_sessions() as session:
        assert await access_sources.watermarks(session) == {"a": 10}
        stored = {
            row[0]: row[1] for row in await session.execute(text("SELECT log_id, stored::text FROM access_sources"))
        }
    assert stored == {"a": "{[1,11),[21,31)}", "b": "{}"}


async def test_forgetting_silent_logs(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        session.add_all([AccessSource(log_id=log_id, node="node-1", persisted=7) for log_id in ("old", "new")])
        await session.flush()
        await session.execute(
            text("UPDATE access_sources SET last_seen = now() - interval '40 days' WHERE log_id = 'old'")
        )
        assert await access_sources.prune(session, 30) == ["old"]
        assert await access_sources.watermarks(session) == {"new": 7}


async def test_what_is_written_back_is_found_again(worker_sessions: SessionFactory) -> None:
    nodes = {"b": "node-1", "a": "node-2"}
    async with worker_sessions() as session:
        begun = SourceState([], 1, 0, 0)
        assert await access_sources.lock(session, nodes) == {"a": begun, "b": begun}
        await access_sources.save(session, nodes, {"a": SourceState([(1, 10), (21, 21)], 5, 10, 2)})
        await session.commit()
    async with worker_sessions() as session:
        assert await access_sources.lock(session, {"a": "x"}) == {"a": SourceState([(1, 10), (21, 21)], 5, 10, 2)}
