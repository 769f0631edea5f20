"""The life of pools: filled, tended, bounded, retired, closed."""

import asyncio

import msgspec
import oracledb
import pytest

from qg_core.errors import ConnectionUnavailable, DatabaseBusy, GatewayError
from qg_oracle import leases
from qg_oracle.deadlines import Deadline
from qg_oracle.events import LogonFailed, OracleEvent, PoolClosed, PoolOpened, PoolRetired
from qg_oracle.execute import execute
from qg_oracle.pool import Pool
from qg_oracle.pools import Pools
from qg_oracle.sessions import limit_round_trips
from qg_oracle.statements import Statement, make_tags
from qg_oracle.targets import ConnectionTarget
from qg_standin.server import StandinServer
from tests.integration.oracle.conftest import PASSWORD, MakeTarget

TAGS = make_tags("bearer:pools", "pools", "request")


async def ask(pool: Pool) -> bytes:
    stream = await execute(pool, Statement("select 1 as n from dual"), {}, Deadline.after_ms(5_000), TAGS)
    return stream.first


async def until_open(pool: Pool, count: int) -> None:
    async with asyncio.timeout(5):
        while pool.open != count or pool.statistics().opening:  # noqa: ASYNC110 - a number to watch
            await asyncio.sleep(0.005)


async def test_pool_min_is_kept_and_idle_sessions_above_it_are_closed(
    pools: Pools, database: ConnectionTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pools.get(msgspec.structs.replace(database, pool_min=2, pool_max=4))
    await until_open(pool, 2)
    sessions = [pool.take() or await pool.queue() for _ in range(4)]
    for session in sessions:
        pool.give_back(session)
    await until_open(pool, 4)
    pool.tend()
    await until_open(pool, 4)
    monkeypatch.setattr("qg_oracle.pool.IDLE_S_MAX", 0.0)
    pool.tend()
    await until_open(pool, 2)
    monkeypatch.setattr("qg_oracle.pool.LIFETIME_S_MAX", 0.0)
    pool.tend()
    monkeypatch.undo()
    await until_open(pool, 0)
    pool.tend()
    await until_open(pool, 2)
    assert await ask(pool) == b'{"N":1}'


async def test_dead_sessions_are_found_without_being_asked_for(
    pools: Pools, make_target: MakeTarget, standin: StandinServer
) -> None:
    pool = pools.get(make_target(pool_min=3, pool_max=3))
    await until_open(pool, 3)
    standin.faults.refuse_connect_code = 12514
    assert standin.faults.drop_connections() == 3
    async with asyncio.timeout(5):
        while pool.open:
            pool.tend()
            await asyncio.sleep(0.01)
    standin.faults.clear()
    async with asyncio.timeout(5):
        while pool.open < 3:
            pool.tend()
            await asyncio.sleep(0.05)


async def test_a_session_with_an_open_transaction_rolls_back(
    pools: Pools, make_target: MakeTarget, standin: StandinServer
) -> None:
    standin.users.add("QG_WRITER", PASSWORD, can_write=True)
    pool = pools.get(make_target(username="QG_WRITER", pool_max=1))
    session = await pool.queue()
    with session.connection.cursor() as cursor:
        await cursor.execute("create table scratch (a number)")
        await cursor.execute("insert into scratch (a) values (1)")
    assert session.connection.transaction_in_progress
    pool.give_back(session)
    stream = await execute(pool, Statement("select count(*) as n from scratch"), {}, Deadline.after_ms(5_000), TAGS)
    assert stream.first == b'{"N":0}'
    assert pool.open == 1


async def test_the_number_of_pools_and_of_waiting_calls_is_bounded(
    make_target: MakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = Pools(pools_max=2)
    try:
        first = pools.get(make_target(connection_id="a", pool_max=1))
        pools.get(make_target(connection_id="b"))
        with pytest.raises(DatabaseBusy):
            pools.get(make_target(connection_id="c"))
        assert pools.get(make_target(connection_id="a", pool_max=1)) is first
        held = await first.queue()
        monkeypatch.setattr("qg_oracle.waiters.WAITERS_MAX", 3)
        waiting = [first.queue() for _ in range(3)]
        with pytest.raises(DatabaseBusy):
            first.queue()
        first.give_back(held)
        for waiter in waiting:  # in the order of asking
            first.give_back(await waiter)
    finally:
        await pools.close(2)


async def test_pools_that_no_catalog_names_are_retired(
    pools: Pools, make_target: MakeTarget, events: list[OracleEvent]
) -> None:
    kept, dropped = make_target(connection_id="a"), make_target(connection_id="b")
    assert await ask(pools.get(kept)) == b'{"N":1}'
    old = pools.get(dropped)
    assert await ask(old) == b'{"N":1}'
    pools.retire({pools.fingerprint(kept)})
    assert await old.drained(5)
    assert [item.connection_id for item in pools.statistics()] == ["a"]
    told = [type(event) for event in events if event.connection_id == "b"]
    assert (told[0], told[-2], told[-1]) == (PoolOpened, PoolRetired, PoolClosed)
    with pytest.raises(ConnectionUnavailable):
        old.queue()
    assert await ask(pools.get(dropped)) == b'{"N":1}'  # a later catalog names it again


async def test_closing_ends_running_calls_after_the_grace(make_target: MakeTarget) -> None:
    pools = Pools()
    pool = pools.get(make_target(pool_max=2))
    slow = Statement("select qg_sleep(60) as s from dual")
    call = asyncio.ensure_future(execute(pool, slow, {}, Deadline.after_ms(60_000), TAGS))
    async with asyncio.timeout(5):
        while not pool.busy:  # noqa: ASYNC110 - a number to watch
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)
    await pools.close(0.1)
    assert pools.busy == 0
    assert pools.statistics() == []
    with pytest.raises(Exception, match="shutdown"):
        await call


async def test_a_locked_account_is_asked_again_after_a_while_only(
    pools: Pools, make_target: MakeTarget, standin: StandinServer, events: list[OracleEvent]
) -> None:
    standin.faults.refuse_logon_code = 28000
    pool = pools.get(make_target(pool_min=5, pool_max=5))
    async with asyncio.timeout(1.5):
        while True:
            pool.tend()
            await asyncio.sleep(0.01)
            if sum(isinstance(event, LogonFailed) for event in events) >= 5 and pool.statistics().opening == 0:
                break
    before = sum(isinstance(event, LogonFailed) for event in events)
    for _ in range(20):
        pool.tend()
        await asyncio.sleep(0.01)
    assert sum(isinstance(event, LogonFailed) for event in events) == before


async def test_a_session_whose_ping_failed_unforeseen_is_not_used_again(
    pools: Pools, make_target: MakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_after_the_ping(connection: oracledb.AsyncConnection, timeout_ms: int) -> None:
        if not timeout_ms:
            raise ValueError("nobody foresaw this")
        limit_round_trips(connection, timeout_ms)

    pool = pools.get(make_target(pool_max=1))
    assert await ask(pool) == b'{"N":1}'
    session = pool.take()
    assert session is not None
    pool.give_back(session)
    session.returned_at = 0.0  # idle for so long that it has to answer a ping
    monkeypatch.setattr(leases, "limit_round_trips", break_after_the_ping)
    with pytest.raises(GatewayError):
        await ask(pool)
    monkeypatch.undo()
    assert await ask(pool) == b'{"N":1}'
    other = pool.take()
    assert other is not None
    assert other is not session
    assert other.connection.call_timeout == 0
    pool.give_back(other)
    assert pool.busy == 0
