"""Fetching: prefetch, further fetches, nothing, many rows in bounded memory."""

import oracledb
import psutil
import pytest

from tests.integration.standin.conftest import RunningStandin

_SERIES = "select level n, 'row ' || level t from dual connect by level <= :n order by n"


@pytest.mark.parametrize("prefetch", [0, 1, 2, 100, 5000])
@pytest.mark.parametrize("arraysize", [1, 7, 100, 5000])
@pytest.mark.parametrize("count", [0, 1, 2, 100, 2001])
def test_every_row_comes_once(connection: oracledb.Connection, prefetch: int, arraysize: int, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.prefetchrows, cursor.arraysize = prefetch, arraysize
        for _ in range(2):  # from the engine, then from what was kept
            cursor.execute(_SERIES, n=min(count, arraysize * 200))
            assert cursor.fetchall() == [(n, f"row {n}") for n in range(1, min(count, arraysize * 200) + 1)]


async def test_interleaved_cursors_of_one_connection(async_connection: oracledb.AsyncConnection) -> None:
    with async_connection.cursor() as first, async_connection.cursor() as second:
        first.arraysize = second.arraysize = 50
        await first.execute("select row_id from big_rows where row_id <= 5000 order by row_id")
        await second.execute("select row_id from big_rows where row_id > 100 and row_id <= 5100 order by row_id")
        for start in range(0, 5000, 50):
            assert [row[0] for row in await first.fetchmany(50)] == list(range(start + 1, start + 51))
            assert [row[0] for row in await second.fetchmany(50)] == list(range(start + 101, start + 151))


async def test_a_cursor_left_half_read_harms_nobody(async_connection: oracledb.AsyncConnection) -> None:
    for _ in range(20):
        with async_connection.cursor() as cursor:
            await cursor.execute("select * from big_rows")
            assert len(await cursor.fetchmany(10)) == 10
    assert await async_connection.fetchone("select 1 from dual") == (1,)


@pytest.mark.long
async def test_many_rows_in_bounded_memory(standin: RunningStandin) -> None:
    process = psutil.Process()
    async with await standin.connect_async() as connection:
        with connection.cursor() as cursor:
            cursor.arraysize = cursor.prefetchrows = 5000
            await cursor.execute("select * from big_rows where row_id <= 20000")
            await cursor.fetchall()  # what a server needs anyway is there now
            before = most = process.memory_info().rss
            count = total = 0
            await cursor.execute("select * from big_rows where row_id <= 800000")
            while rows := await cursor.fetchmany(5000):
                count += len(rows)
                total += rows[-1][0]
                most = max(most, process.memory_info().rss)
    assert count == 800_000
    assert total == sum(range(5_000, 800_001, 5000))
    assert most - before < 60 * 1024 * 1024


async def test_one_huge_fetch_is_streamed_not_gathered(standin: RunningStandin) -> None:
    async with await standin.connect_async() as connection:
        with connection.cursor() as cursor:
            cursor.arraysize = cursor.prefetchrows = 200_000
            await cursor.execute("select row_id, reference from big_rows where row_id <= 150000")
            rows = await cursor.fetchall()
    assert len(rows) == 150_000
    assert rows[-1][0] == 150_000
