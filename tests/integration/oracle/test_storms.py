"""Clients that vanish, servers that vanish or hang: afterwards nothing is busy and the next request is served."""

import asyncio
import random

import pytest

from qg_core.errors import DatabaseBusy, DatabaseUnreachable, DeadlineExceeded, GatewayError, QueryTimedOut
from qg_oracle.cancelling import CallCancelled, CancelSignal
from qg_oracle.deadlines import Deadline
from qg_oracle.events import AbandonedCallEnded, CallAbandoned, CallRetried, LogonFailed, OracleEvent, SessionOpened
from qg_oracle.execute import ResultStream, execute
from qg_oracle.pool import Pool
from qg_oracle.pools import Pools
from qg_oracle.statements import Statement, make_tags
from qg_standin.server import StandinServer
from tests.integration.oracle.conftest import MakeTarget, settled
from tests.integration.oracle.valve import Valve

TAGS = make_tags("bearer:storm", "orders", "request")
ONE = "select 1 as one from dual"
SLOW = "select qg_sleep(60) as s from dual"
MANY = "select level as n, 'text of some length' as t from dual connect by level <= 20000"


async def run(pool: Pool, sql: str = ONE, *, timeout_ms: int = 5_000, cancel: CancelSignal | None = None) -> bytes:
    stream = await execute(pool, Statement(sql, rows_max=50_000), {}, Deadline.after_ms(timeout_ms), TAGS, cancel)
    return b"".join([chunk async for chunk in stream])


async def test_a_thousand_clients_that_vanish_in_the_middle_of_a_query(
    pools: Pools, make_target: MakeTarget, events: list[OracleEvent]
) -> None:
    pool = pools.get(make_target(pool_min=40, pool_max=40))
    await quiet(pool)
    chance = random.Random(11)
    at_once = asyncio.Semaphore(40)

    async def vanish(number: int) -> None:
        async with at_once:
            signal = CancelSignal()
            call = asyncio.ensure_future(run(pool, SLOW, timeout_ms=60_000, cancel=signal))
            await asyncio.sleep(0.04 + chance.random() * 0.1)
            if number % 2:
                signal.fire("client gone")
            else:
                call.cancel()
            done, _ = await asyncio.wait({call})
            if not call.cancelled():
                assert isinstance(done.pop().exception(), CallCancelled)

    await asyncio.gather(*(vanish(number) for number in range(1_000)))
    await settled(pools)
    assert pools.statistics()[0].waiting == 0
    abandoned = [event for event in events if isinstance(event, CallAbandoned)]
    ended = [event for event in events if isinstance(event, AbandonedCallEnded)]
    assert len(abandoned) == len(ended) > 150  # the others left before their query was on its way
    assert not any(event.dropped for event in ended)
    opened = sum(isinstance(event, SessionOpened) for event in events)
    assert opened <= 80 + len(abandoned), "a cancelled session is replaced by one, and no other is lost"
    assert await asyncio.gather(*(run(pool) for _ in range(100))) == [b'{"ONE":1}'] * 100


async def test_a_thousand_clients_that_vanish_anywhere(
    pools: Pools, make_target: MakeTarget, standin: StandinServer
) -> None:
    """While they wait for one of five sessions, in a query, between batches of a large answer, or when it is done."""
    pool = pools.get(make_target(pool_max=5))
    await run(pool)
    standin.faults.delay_ms = 5
    chance = random.Random(7)

    async def vanish(number: int) -> None:
        signal = CancelSignal()
        call = asyncio.ensure_future(run(pool, MANY if number % 3 == 0 else ONE, timeout_ms=20_000, cancel=signal))
        await asyncio.sleep(chance.random() * 2)
        if number % 2:
            signal.fire("client gone")
        else:
            call.cancel()
        done, _ = await asyncio.wait({call})
        if not call.cancelled() and (error := done.pop().exception()) is not None:
            assert isinstance(error, (CallCancelled, DatabaseBusy)), error

    await asyncio.gather(*(vanish(number) for number in range(1_000)))
    await settled(pools)
    assert pools.statistics()[0].waiting == 0
    standin.faults.clear()
    assert await run(pool) == b'{"ONE":1}'


async def test_clients_that_vanish_between_two_batches(pools: Pools, make_target: MakeTarget) -> None:
    pool = pools.get(make_target(pool_max=2))

    async def leave_early(number: int) -> None:
        signal = CancelSignal()
        statement = Statement(MANY, rows_max=50_000)
        stream = await execute(pool, statement, {}, Deadline.after_ms(20_000), TAGS, signal)
        assert not stream.complete
        if number % 3 == 0:
            stream.close()
        elif number % 3 == 1:
            signal.fire("client gone")
        else:
            await stream.next_chunk()
            next_chunk = asyncio.ensure_future(stream.next_chunk())
            await asyncio.sleep(0)
            next_chunk.cancel()
            await asyncio.wait({next_chunk})
        await asyncio.sleep(0)
        assert statement.running in {0, 1}

    await asyncio.gather(*(leave_early(number) for number in range(60)))
    await settled(pools)
    assert await run(pool) == b'{"ONE":1}'


async def test_the_deadline_cancels_in_the_database_and_the_session_is_replaced(
    pools: Pools, make_target: MakeTarget, standin: StandinServer, events: list[OracleEvent]
) -> None:
    pool = pools.get(make_target(pool_max=1))
    await run(pool)
    standin.faults.delay_ms = 60_000
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(QueryTimedOut):
        await run(pool, timeout_ms=300)
    assert 0.25 < loop.time() - began < 1.0
    standin.faults.clear()
    await settled(pools)
    assert await run(pool) == b'{"ONE":1}'
    ended = [event for event in events if isinstance(event, AbandonedCallEnded)]
    assert len(ended) == 1
    assert not ended[0].dropped
    assert pools.statistics()[0].open == 1


async def test_an_unread_stream_ends_with_its_deadline(pools: Pools, make_target: MakeTarget) -> None:
    pool = pools.get(make_target())
    statement = Statement(MANY, rows_max=50_000)
    stream = await execute(pool, statement, {}, Deadline.after_ms(300), TAGS)
    assert not stream.complete
    await settled(pools, within_s=2)
    assert statement.running == 0
    with pytest.raises(QueryTimedOut):
        await stream.next_chunk()


async def test_a_server_that_hangs_costs_the_session_and_nothing_else(
    pools: Pools, make_target: MakeTarget, valve: Valve, events: list[OracleEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qg_oracle.call.CANCEL_GRACE_S", 0.5)
    pool = pools.get(make_target(port=valve.port, pool_max=2))
    await run(pool)
    valve.freeze()
    outcomes = await asyncio.gather(*(run(pool, timeout_ms=400) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, (QueryTimedOut, DatabaseBusy, DeadlineExceeded)) for outcome in outcomes), outcomes
    assert any(isinstance(outcome, QueryTimedOut) for outcome in outcomes)
    await settled(pools, within_s=6)
    assert any(isinstance(event, AbandonedCallEnded) and event.dropped for event in events)
    valve.thaw()
    assert await retried(pool) == b'{"ONE":1}'


async def test_sessions_that_a_firewall_forgot_cost_one_wait_together(
    pools: Pools, make_target: MakeTarget, valve: Valve, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pools.get(make_target(port=valve.port, pool_min=4, pool_max=8))
    await quiet(pool)
    monkeypatch.setattr("qg_oracle.leases.PING_TIMEOUT_MS", 300)
    monkeypatch.setattr("qg_oracle.pool.PING_AFTER_IDLE_S", 0.0)
    valve.strand()
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await run(pool) == b'{"ONE":1}'
    assert loop.time() - began < 2.0  # once 0.6 and not four times
    monkeypatch.setattr("qg_oracle.sessions.CLOSE_TIMEOUT_MS", 100)


async def test_all_connections_dropped_while_idle_is_not_noticed_by_callers(
    pools: Pools, make_target: MakeTarget, standin: StandinServer
) -> None:
    pool = pools.get(make_target(pool_max=3))
    await asyncio.gather(*(run(pool) for _ in range(6)))
    await quiet(pool)
    assert standin.faults.drop_connections() >= 1
    assert await asyncio.gather(*(run(pool) for _ in range(6))) == [b'{"ONE":1}'] * 6


async def test_a_session_lost_under_a_call_is_retried_once_when_it_was_reused(
    pools: Pools, make_target: MakeTarget, standin: StandinServer, events: list[OracleEvent]
) -> None:
    pool = pools.get(make_target(pool_max=1))
    await run(pool)
    standin.faults.drop_on_execute(1)
    assert await run(pool) == b'{"ONE":1}'
    assert sum(isinstance(event, CallRetried) for event in events) == 1
    standin.faults.drop_on_execute(1_000)
    with pytest.raises(DatabaseUnreachable) as caught:
        await run(pool)
    assert caught.value.cause_code == "DPY-4011"
    standin.faults.clear()
    assert await retried(pool) == b'{"ONE":1}'


async def test_a_loss_on_a_fresh_session_is_not_retried(
    pools: Pools, make_target: MakeTarget, standin: StandinServer, events: list[OracleEvent]
) -> None:
    pool = pools.get(make_target(pool_min=0, pool_max=1))
    session = await pool.queue()
    pool.give_back(session)
    session.pooled = False  # as if the next call were its first
    standin.faults.drop_on_execute(1)
    with pytest.raises(DatabaseUnreachable):
        await run(pool)
    assert not any(isinstance(event, CallRetried) for event in events)


@pytest.mark.parametrize(
    ("listener_code", "logon_code", "expected"),
    [
        (12516, None, DatabaseBusy),
        (12520, None, DatabaseBusy),
        (12514, None, DatabaseUnreachable),
        (None, 18, DatabaseBusy),
        (None, 1017, DatabaseUnreachable),
        (None, 28000, DatabaseUnreachable),
    ],
)
async def test_refused_sessions_fail_at_once_and_recover_by_themselves(
    pools: Pools,
    make_target: MakeTarget,
    standin: StandinServer,
    events: list[OracleEvent],
    listener_code: int | None,
    logon_code: int | None,
    expected: type[GatewayError],
) -> None:
    standin.faults.refuse_connect_code = listener_code
    standin.faults.refuse_logon_code = logon_code
    pool = pools.get(make_target(pool_max=3))
    outcomes = await asyncio.gather(*(run(pool) for _ in range(50)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {expected}
    assert {outcome.cause_code for outcome in outcomes if isinstance(outcome, GatewayError)} == {
        f"ORA-{listener_code or logon_code:05}"
    }
    attempts = sum(isinstance(event, LogonFailed) for event in events)
    assert attempts <= 3  # fifty requests with a wrong password must not lock the account
    standin.faults.clear()
    assert await retried(pool) == b'{"ONE":1}'


async def test_an_exhausted_pool_answers_busy_within_half_of_the_deadline(
    pools: Pools, make_target: MakeTarget, standin: StandinServer
) -> None:
    pool = pools.get(make_target(pool_max=1))
    await run(pool)
    standin.faults.delay_ms = 3_000
    first = asyncio.ensure_future(run(pool, timeout_ms=10_000))
    await asyncio.sleep(0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(DatabaseBusy):
        await run(pool, timeout_ms=1_000)
    assert 0.4 < loop.time() - began < 0.9
    first.cancel()
    await asyncio.wait({first})


async def test_a_restarted_server_is_found_again(
    pools: Pools, make_target: MakeTarget, standin: StandinServer, valve: Valve
) -> None:
    pool = pools.get(make_target(port=valve.port, pool_max=4))
    await asyncio.gather(*(run(pool) for _ in range(8)))
    standin.faults.refuse_connect_code = 12514
    valve.cut()
    outcomes = await asyncio.gather(*(run(pool) for _ in range(8)), return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnreachable) for outcome in outcomes), outcomes
    standin.faults.clear()
    assert await retried(pool) == b'{"ONE":1}'


async def test_a_changed_password_gets_a_new_pool_within_the_same_limit(
    pools: Pools, make_target: MakeTarget, standin: StandinServer
) -> None:
    old = pools.get(make_target(pool_min=0, pool_max=2))
    await asyncio.gather(run(old), run(old))
    held: ResultStream = await execute(old, Statement(MANY, rows_max=50_000), {}, Deadline.after_ms(10_000), TAGS)
    standin.users.add("QG_READER", "another-password")
    new = pools.get(make_target(pool_min=0, pool_max=2, password="another-password"))
    assert new is not old
    assert old.retired
    assert await asyncio.gather(*(run(new) for _ in range(5))) == [b'{"ONE":1}'] * 5
    assert old.open + new.open <= 2
    assert [chunk async for chunk in held]  # the old catalog's call ends undisturbed
    await asyncio.sleep(0)
    assert await old.drained(3)
    assert len(pools.statistics()) == 1


async def test_a_stalled_listener_does_not_stop_the_sessions_that_exist(
    pools: Pools, make_target: MakeTarget, standin: StandinServer
) -> None:
    pool = pools.get(make_target(pool_min=1, pool_max=3))
    await run(pool)
    standin.faults.stall_accept = True
    outcomes = await asyncio.gather(*(run(pool) for _ in range(30)))
    assert outcomes == [b'{"ONE":1}'] * 30
    standin.faults.clear()


@pytest.mark.parametrize("chunks", range(7))
async def test_a_server_that_falls_silent_while_a_session_signs_in(
    pools: Pools, make_target: MakeTarget, valve: Valve, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    monkeypatch.setattr("qg_oracle.logon.ADDRESS_TIMEOUT_S", 0.3)
    monkeypatch.setattr("qg_oracle.call.CANCEL_GRACE_S", 0.3)
    valve.chunks_before_freeze = chunks
    pool = pools.get(make_target(port=valve.port, pool_min=0, pool_max=1))
    with pytest.raises((DatabaseUnreachable, QueryTimedOut)):
        await run(pool, timeout_ms=1_500)
    await settled(pools, within_s=5)
    assert pool.statistics().opening == 0
    valve.thaw()
    assert await retried(pool) == b'{"ONE":1}'


async def quiet(pool: Pool) -> None:
    """Wait until no session is being opened any more: one that is cut in its first use is not retried."""
    async with asyncio.timeout(5):
        while pool.statistics().opening:  # noqa: ASYNC110 - a number to watch, nothing that could tell
            await asyncio.sleep(0.005)


async def retried(pool: Pool, within_s: float = 8.0) -> bytes:
    """Ask until there is an answer, as callers do that honour Retry-After."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await run(pool)
            except (DatabaseUnreachable, DatabaseBusy):
                await asyncio.sleep(0.05)
