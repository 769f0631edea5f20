"""Rows, bytes, time and concurrency: what each limit cuts, and what it costs the database."""

import asyncio
import json
import tracemalloc

import msgspec
import pytest

from qg_core.errors import DuplicateColumns, EndpointBusy, QueryFailed
from qg_oracle.deadlines import Deadline
from qg_oracle.execute import ResultStream, execute
from qg_oracle.pool import Pool
from qg_oracle.pools import Pools
from qg_oracle.statements import Statement, make_tags
from qg_oracle.targets import ConnectionTarget
from qg_standin.server import StandinServer
from tests.integration.oracle.conftest import MakeTarget, settled

TAGS = make_tags("api_key:bounds", "bounds", "request")


def numbers(count: int) -> str:
    return f"select level as n from dual connect by level <= {count}"


async def run(pool: Pool, statement: Statement) -> tuple[ResultStream, list[int]]:
    stream = await execute(pool, statement, {}, Deadline.after_ms(30_000), TAGS)
    text = b"[" + b"".join([chunk async for chunk in stream]) + b"]"
    return stream, [row["N"] for row in json.loads(text)]


@pytest.mark.parametrize(
    ("there", "rows_max", "given", "truncated"),
    [
        (0, 10, 0, False),
        (1, 1, 1, False),
        (2, 1, 1, True),
        (99, 1_000, 99, False),
        (100, 1_000, 100, False),
        (101, 1_000, 101, False),
        (100, 100, 100, False),
        (101, 100, 100, True),
        (1_000, 1_000, 1_000, False),
        (1_001, 1_000, 1_000, True),
        (30_000, 25_000, 25_000, True),
    ],
)
async def test_rows_max(
    pools: Pools, database: ConnectionTarget, there: int, rows_max: int, given: int, truncated: bool
) -> None:
    pool = pools.get(database)
    statement = Statement(numbers(there), rows_max=rows_max)
    for _ in range(2):  # with nothing known of the rows, and with batches as learned
        stream, rows = await run(pool, statement)
        assert rows == list(range(1, given + 1))
        assert (stream.truncated, stream.row_count, stream.complete) == (truncated, given, True)
    assert statement.running == 0


async def test_bytes_max_cuts_between_rows(pools: Pools, database: ConnectionTarget) -> None:
    pool = pools.get(database)
    for bytes_max in (1, 8, 50, 1_000, 20_000):
        stream, rows = await run(pool, Statement(numbers(5_000), rows_max=10_000, bytes_max=bytes_max))
        assert stream.truncated
        assert rows == list(range(1, len(rows) + 1))
        assert stream.size <= bytes_max + 2
        assert stream.size >= bytes_max - 14 or not rows


async def test_a_point_query_is_complete_at_once_and_gives_its_session_back(
    pools: Pools, database: ConnectionTarget
) -> None:
    pool = pools.get(msgspec.structs.replace(database, pool_max=1))
    stream = await execute(pool, Statement("select 1 as n from dual"), {}, Deadline.after_ms(5_000), TAGS)
    assert stream.complete
    assert stream.first == b'{"N":1}'
    assert pool.busy == 0
    assert await stream.next_chunk() is None


async def test_concurrency_counts_calls_that_nobody_waits_for(
    pools: Pools, make_target: MakeTarget, standin: StandinServer
) -> None:
    pool = pools.get(make_target(pool_max=4))
    statement = Statement("select 1 as n from dual", concurrency_max=2)
    await run(pool, statement)
    standin.faults.delay_ms = 2_000
    calls = [asyncio.ensure_future(run(pool, statement)) for _ in range(2)]
    await asyncio.sleep(0.05)
    for call in calls:
        call.cancel()
    with pytest.raises(EndpointBusy):
        await run(pool, statement)
    await asyncio.wait(calls)
    standin.faults.clear()
    await settled(pools)
    assert statement.running == 0
    assert (await run(pool, statement))[1] == [1]


async def test_errors_of_the_statement_leave_everything_usable(pools: Pools, database: ConnectionTarget) -> None:
    pool = pools.get(msgspec.structs.replace(database, pool_max=1))
    for sql, code in (
        ("select * from no_such_table", "ORA-00942"),
        ("select no_such_column from dual", "ORA-00904"),
        ("select to_number('x') as n from dual", "ORA-01722"),
        ("select 1 as n from dual where", "ORA-00936"),
        ("select 1 as n from dual where 1 = :missing", "DPY-4010"),
        ("delete from dual", "not a query"),
        ("create table scratch (a number)", "not a query"),
    ):
        with pytest.raises(QueryFailed) as caught:
            await run(pool, Statement(sql))
        assert caught.value.cause_code == code
        assert caught.value.detail == QueryFailed.default_detail
    with pytest.raises(DuplicateColumns):
        await run(pool, Statement("select 1 as n, 2 as n from dual"))
    assert (await run(pool, Statement("select 1 as n from dual")))[1] == [1]
    assert pool.open == 1


async def test_a_large_answer_streams_in_little_memory(pools: Pools, database: ConnectionTarget) -> None:
    pool = pools.get(msgspec.structs.replace(database, pool_max=1))
    statement = Statement(
        "select level as n, 'some text of a usual length' as t from dual connect by level <= 200000", rows_max=1_000_000
    )
    stream = await execute(pool, statement, {}, Deadline.after_ms(60_000), TAGS)
    total = 0
    tracemalloc.start()
    try:
        async for chunk in stream:
            total += len(chunk)
            assert len(chunk) < 6 * 1024 * 1024
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stream.row_count == 200_000
    assert total > 8_000_000
    assert peak < 60 * 1024 * 1024
