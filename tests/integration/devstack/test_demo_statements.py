"""The demo's statements give rows on the demo schema, through the real driver."""

from collections.abc import Callable
from datetime import date
from urllib.parse import parse_qsl

import oracledb
import pytest

from qg_devstack.demo_endpoints import ENDPOINTS, DemoEndpoint
from qg_devstack.servers import StandinAddress

READ: dict[str, Callable[[str], int | str | date]] = {"integer": int, "date": date.fromisoformat, "string": str}


def binds_of(endpoint: DemoEndpoint) -> dict[str, int | str | date]:
    asked = dict(parse_qsl(endpoint.sample_query))
    declared = endpoint.param_schema.items()
    return {name: READ[str(field["type"])](asked.get(name, str(field.get("default")))) for name, field in declared}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_the_sample_query_gives_rows(standin_server: StandinAddress, endpoint: DemoEndpoint) -> None:
    known = standin_server
    with (
        oracledb.connect(user=known.user, password=known.password, dsn=known.dsn) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(endpoint.sql_text, binds_of(endpoint))
        assert cursor.fetchall()
