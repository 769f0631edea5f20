"""What a session may ask about itself: tags, rights, version."""

import oracledb

from tests.integration.standin.conftest import RunningStandin

_TAGS = "select client_identifier, module, action from v$session where sid = sys_context('USERENV', 'SID')"


def test_tags_are_received_and_cleared(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    assert cursor.execute(_TAGS).fetchone() == (None, None, None)
    connection.client_identifier, connection.module, connection.action = "api_key:bob", "orders", "req-1"
    assert cursor.execute(_TAGS).fetchone() == ("api_key:bob", "orders", "req-1")
    connection.client_identifier, connection.action = "", "req-2"
    assert cursor.execute(_TAGS).fetchone() == (None, "orders", "req-2")
    connection.client_identifier = "ünïcode"
    assert cursor.execute("select sys_context('USERENV', 'CLIENT_IDENTIFIER') from dual").fetchone() == ("ünïcode",)


async def test_one_session_sees_the_others(standin: RunningStandin) -> None:
    async with await standin.connect_async() as first, await standin.connect_async() as second:
        first.client_identifier = "the first"
        await first.fetchone("select 1 from dual")
        rows = await second.fetchall("select username, client_identifier from v$session order by sid desc")
        assert ("READER", "the first") in rows
        assert len(rows) >= 2


def test_the_reader_holds_reading_rights_only(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    assert cursor.execute("select privilege from session_privs").fetchall() == [("CREATE SESSION",)]
    assert cursor.execute("select privilege from user_sys_privs").fetchall() == [("CREATE SESSION",)]
    assert cursor.execute("select distinct privilege from user_tab_privs").fetchall() == [("SELECT",)]
    assert cursor.execute("select granted_role from user_role_privs").fetchall() == []
    assert cursor.execute("select role from session_roles").fetchall() == []
    assert cursor.execute("select user from dual").fetchone() == ("READER",)


def test_the_writer_holds_more(writer: oracledb.Connection) -> None:
    cursor = writer.cursor()
    rows = cursor.execute("select privilege from session_privs where privilege like '%ANY TABLE'").fetchall()
    assert ("INSERT ANY TABLE",) in rows
    assert cursor.execute("select count(*) from user_tab_privs where privilege = 'DELETE'").fetchone()[0] > 5


def test_version_and_tables(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    assert "19.3" in cursor.execute("select banner from v$version").fetchone()[0]
    names = [row[0] for row in cursor.execute("select table_name from all_tables")]
    assert {"ORDERS", "BIG_ROWS"} <= set(names)
    assert "DUAL" not in names
