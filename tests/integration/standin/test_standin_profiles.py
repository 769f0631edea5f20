"""The second protocol profile: marked ends of responses and newer fields, with the same answers."""

from collections.abc import Iterator

import oracledb
import pytest

from qg_standin.profile import PROFILE_23
from tests.integration.standin.conftest import RunningStandin


@pytest.fixture(scope="module")
def newer() -> Iterator[RunningStandin]:
    running = RunningStandin(demo=True, scale=0.02, profile=PROFILE_23)
    running.start()
    yield running
    running.stop()


async def test_queries_lobs_and_tags(newer: RunningStandin) -> None:
    async with await newer.connect_async() as connection:
        assert connection.version.startswith("23.")
        for number in range(3):
            rows = await connection.fetchall("select order_id, :t from orders where order_id <= :n", [number, 3])
            assert rows == [(1, number), (2, number), (3, number)]
        assert len(await connection.fetchall("select * from big_rows where row_id <= 5000")) == 5000
        connection.action = "newer"
        assert await connection.fetchone("select sys_context('USERENV', 'ACTION') from dual") == ("newer",)
        (clob,) = await connection.fetchone("select remarks from supplier_contracts where contract_id = 1")
        assert (await clob.read()).startswith("Contract 1:")


def test_errors_timeouts_and_changes(newer: RunningStandin) -> None:
    with newer.connect("qg_writer", "writer-pw-1") as connection:
        cursor = connection.cursor()
        with pytest.raises(oracledb.DatabaseError, match="ORA-00942"):
            cursor.execute("select * from nowhere")
        connection.call_timeout = 100
        with pytest.raises(oracledb.DatabaseError, match="DPY-4024"):
            cursor.execute("select qg_sleep(30) from dual")
        connection.call_timeout = 0
        cursor.execute("update orders set status = :s where order_id <= 5", s="changed")
        assert cursor.rowcount == 5
        connection.rollback()
        assert cursor.execute("select count(*) from orders where status = 'changed'").fetchone() == (0,)
        assert cursor.execute("select :b from dual", b=True).fetchone() == (1,)
