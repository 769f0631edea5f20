"""The real driver finds the same binds as the policy, in every statement that the policy accepts.

`Cursor.prepare` reads the statement on the client; nothing is sent, so the tables need not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import oracledb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qg_core.sql_policy import SqlRefused
from qg_core.sql_policy.policy import check
from qg_devstack.servers.standin import StandinAddress

_LEGAL = Path(__file__).parents[2] / "unit" / "qg_core" / "corpus" / "legal.txt"
_MESS_TEXT = r"""
    ' '' " -- /* */ : :a :B :c q'[ ]' Q'! !' nq'( )' n' N' a "x" "a:b" , || 1 1e5 date as + - / * ( ) q'{ }' q'a a' /*+
    \ :a' ':a
"""
_MESS = [*_MESS_TEXT.split(), "\n", "\r\n", " "]


@pytest.fixture
def cursor(standin_server: StandinAddress) -> Iterator[oracledb.Cursor]:
    address = standin_server
    with (
        oracledb.connect(user=address.user, password=address.password, dsn=address.dsn) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


def binds_of_the_driver(cursor: oracledb.Cursor, statement: str) -> set[str]:
    cursor.prepare(statement)
    return {name.lower() for name in cursor.bindnames()}


def test_the_corpus(cursor: oracledb.Cursor) -> None:
    text = _LEGAL.read_bytes().decode()
    entries = re.split(r"^%% ", text, flags=re.MULTILINE)[1:]
    statements = [entry.partition("\n")[2].removesuffix("\n").removesuffix("\r") for entry in entries]
    assert len(statements) > 150
    for statement in statements:
        assert set(check(statement).binds) == binds_of_the_driver(cursor, statement), statement


@given(st.lists(st.sampled_from(_MESS), max_size=12), st.sampled_from(["", " "]))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mess_of_quotes_and_comments_that_is_accepted(cursor: oracledb.Cursor, mess: list[str], gap: str) -> None:
    statement = f"select {gap.join(mess)} from t where x = :z"
    try:
        facts = check(statement)
    except SqlRefused:
        return
    assert set(facts.binds) == binds_of_the_driver(cursor, statement)
