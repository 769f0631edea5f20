"""Faults that tests of the gateway switch on."""

import asyncio
import time

import oracledb
import pytest

from tests.integration.standin.conftest import RunningStandin


def _refused(standin: RunningStandin) -> str:
    with pytest.raises(oracledb.DatabaseError) as error:
        standin.connect()
    return str(error.value)


def test_the_listener_refuses(standin: RunningStandin) -> None:
    standin.call(lambda: setattr(standin.server.faults, "refuse_connect_code", 12516))
    assert "12516" in _refused(standin)
    standin.call(standin.server.faults.clear)
    standin.connect().close()


@pytest.mark.parametrize("code", [18, 28000, 28001])
def test_sign_ins_are_refused(standin: RunningStandin, code: int) -> None:
    standin.call(lambda: setattr(standin.server.faults, "refuse_logon_code", code))
    assert f"ORA-{code:05d}" in _refused(standin)
    standin.call(standin.server.faults.clear)
    standin.connect().close()


def test_the_next_executes_fail(standin: RunningStandin, connection: oracledb.Connection) -> None:
    standin.call(lambda: standin.server.faults.fail_executes(1555, 2))
    for _ in range(2):
        with pytest.raises(oracledb.DatabaseError, match="ORA-01555"):
            connection.cursor().execute("select 1 from dual")
    assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


def test_a_code_that_ends_the_session(standin: RunningStandin, connection: oracledb.Connection) -> None:
    standin.call(lambda: standin.server.faults.fail_executes(3113))
    with pytest.raises(oracledb.DatabaseError, match="DPY-4011"):
        connection.cursor().execute("select 1 from dual")
    assert not connection.is_healthy()


def test_connections_are_dropped(standin: RunningStandin, connection: oracledb.Connection) -> None:
    assert standin.call(standin.server.faults.drop_connections) >= 1
    with pytest.raises(oracledb.DatabaseError, match="DPY-4011"):
        connection.cursor().execute("select 1 from dual")
    standin.connect().close()


def test_an_execute_drops_its_connection_alone(standin: RunningStandin, connection: oracledb.Connection) -> None:
    with standin.connect() as other:
        standin.call(lambda: standin.server.faults.drop_on_execute(1))
        with pytest.raises(oracledb.DatabaseError, match="DPY-4011"):
            connection.cursor().execute("select 1 from dual")
        assert other.cursor().execute("select 1 from dual").fetchone() == (1,)


def test_every_call_is_delayed(standin: RunningStandin, connection: oracledb.Connection) -> None:
    standin.call(lambda: setattr(standin.server.faults, "delay_ms", 150))
    for work in (connection.ping, lambda: connection.cursor().execute("select 1 from dual")):
        start = time.monotonic()
        work()
        assert time.monotonic() - start >= 0.15
    connection.call_timeout = 50
    with pytest.raises(oracledb.DatabaseError, match="DPY-4024"):
        connection.ping()


async def test_a_listener_that_never_answers(standin: RunningStandin) -> None:
    standin.call(lambda: setattr(standin.server.faults, "stall_accept", True))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(standin.connect_async(), 0.3)
