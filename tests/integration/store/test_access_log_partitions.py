"""Daily partitions of the access log, and the functions that make and drop them, as the workers' role."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from qg_store import migrate
from qg_store.engine import SessionFactory
from qg_store.repositories import access_log
from tests.fixtures.store import StoreUrls
from tests.integration.store.access_rows import NOW, TODAY, add_rows, make_partition, places, row_of


async def test_a_day_far_off_goes_to_the_default_partition(
    store_urls: StoreUrls, worker_sessions: SessionFactory
) -> None:
    await make_partition(worker_sessions, TODAY)
    far = [row_of(1, at=NOW - timedelta(days=400)), row_of(2, at=NOW + timedelta(days=400)), row_of(3)]
    far += [row_of(4, at=datetime(1, 1, 1, tzinfo=UTC)), row_of(5, at=datetime(9999, 12, 31, 23, tzinfo=UTC))]
    assert await add_rows(worker_sessions, far) == 5
    assert await places(store_urls) == {"access_log_default": 4, f"access_log_{TODAY:%Y%m%d}": 1}


async def test_partitions_are_made_once(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    days = [TODAY + timedelta(days=ahead) for ahead in range(-1, 3)]
    made = await asyncio.gather(*(make_partition(worker_sessions, day) for day in days * 3))
    assert all(made)
    async with worker_sessions() as session:
        assert await access_log.partitions(session) == days
    connection = await asyncpg.connect(store_urls.superuser)
    owners = await connection.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '^access_log'")
    indexes = await connection.fetchval(
        "SELECT count(*) FROM pg_indexes WHERE tablename = $1", f"access_log_{TODAY:%Y%m%d}"
    )
    assert [row[0] for row in owners] == ["qg_owner"]
    assert indexes == 7
    await connection.close()
    # Nobody has rights on a partition of their own: the parent decides.
    for url in (store_urls.app, store_urls.worker):
        connection = await asyncpg.connect(url)
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            assert not await connection.fetchval(
                "SELECT has_table_privilege($1, $2)", f"access_log_{TODAY:%Y%m%d}", right
            )
        await connection.close()


async def test_a_day_that_the_default_partition_has_stays_there(
    store_urls: StoreUrls, worker_sessions: SessionFactory
) -> None:
    assert await add_rows(worker_sessions, [row_of(1)]) == 1
    assert not await make_partition(worker_sessions, TODAY)
    assert await make_partition(worker_sessions, TODAY + timedelta(days=1))
    assert await add_rows(worker_sessions, [row_of(2)]) == 1
    assert await places(store_urls) == {"access_log_default": 2}


@pytest.mark.parametrize("days", [-3, 8, 400, -400])
async def test_no_partition_of_another_time(worker_sessions: SessionFactory, days: int) -> None:
    with pytest.raises(DBAPIError, match="a partition can be made"):
        await make_partition(worker_sessions, TODAY + timedelta(days=days))


async def test_dropping_partitions(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    old = TODAY - timedelta(days=2)
    for day in (old, TODAY):
        await make_partition(worker_sessions, day)
        await add_rows(worker_sessions, [row_of(1, at=datetime(day.year, day.month, day.day, tzinfo=UTC))])
    async with worker_sessions() as session:
        assert await access_log.drop_partition(session, old)
        assert not await access_log.drop_partition(session, old)
        assert not await access_log.drop_partition(session, date(2020, 1, 1))
        await session.commit()
    for day in (TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1)):
        async with worker_sessions() as session:
            with pytest.raises(DBAPIError, match="older than a day"):
                await access_log.drop_partition(session, day)
    assert await places(store_urls) == {f"access_log_{TODAY:%Y%m%d}": 1}


async def test_pruning_the_default_partition(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    await make_partition(worker_sessions, TODAY - timedelta(days=2))
    old = [row_of(number, at=NOW - timedelta(days=100)) for number in range(30)]
    await add_rows(worker_sessions, [*old, row_of(30, at=NOW - timedelta(days=2)), row_of(31)])
    before = TODAY - timedelta(days=1)
    async with worker_sessions() as session:
        assert await access_log.prune_default(session, before, 20) == 20
        assert await access_log.prune_default(session, before, 20) == 10
        assert await access_log.prune_default(session, before, 20) == 0
        assert await access_log.prune_default(session, before, -1) == 0
        await session.commit()
    assert await places(store_urls) == {
        "access_log_default": 1,
        f"access_log_{TODAY - timedelta(days=2):%Y%m%d}": 1,
    }
    async with worker_sessions() as session:
        with pytest.raises(DBAPIError, match="older than a day"):
            await access_log.prune_default(session, TODAY)


async def test_the_functions_find_their_tables_whatever_the_caller_has(store_urls: StoreUrls) -> None:
    """A temporary table of the caller's, or a search path, leads them nowhere else."""
    connection = await asyncpg.connect(store_urls.worker)
    try:
        await connection.execute("CREATE TEMPORARY TABLE access_log (x int)")
        await connection.execute("SET search_path = pg_temp, public")
        assert await connection.fetchval("SELECT public.qg_make_access_partition($1)", TODAY)
        parent = await connection.fetchval(
            "SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = to_regclass($1)",
            f"public.access_log_{TODAY:%Y%m%d}",
        )
        assert parent == "public.access_log"
        for name in ("qg_make_access_partition", "qg_drop_access_partition", "qg_prune_access_default"):
            row = await connection.fetchrow(
                "SELECT prosecdef, proconfig, pg_get_userbyid(proowner) AS owner, proacl::text AS rights FROM pg_proc"
                " WHERE proname = $1",
                name,
            )
            assert row["prosecdef"]
            assert "search_path=pg_catalog, pg_temp" in row["proconfig"]
            assert row["owner"] == "qg_owner"
            assert set(row["rights"].strip("{}").split(",")) == {"qg_owner=X/qg_owner", "qg_worker=X/qg_owner"}
    finally:
        await connection.close()


async def test_going_down_takes_the_partitions_along(store_urls: StoreUrls, worker_sessions: SessionFactory) -> None:
    await make_partition(worker_sessions, TODAY)
    await add_rows(worker_sessions, [row_of(1)])
    migrate.downgrade(store_urls.superuser, "0003")
    connection = await asyncpg.connect(store_urls.superuser)
    assert await connection.fetch("SELECT relname FROM pg_class WHERE relname ~ '^access_'") == []
    assert await connection.fetch("SELECT proname FROM pg_proc WHERE proname ~ '^qg_'") == []
    await connection.close()
    migrate.upgrade(store_urls.superuser)
    assert await make_partition(worker_sessions, TODAY)
