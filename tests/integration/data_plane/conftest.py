"""One data-plane process per test worker, on a Redis of its own and the worker's stand-in, with a bundle by hand."""

import asyncio
from collections.abc import Iterator

import pytest

from qg_core.parameters import Parameter, ParameterType
from qg_core.specs import DataStrategy, MethodType
from qg_devstack.hand_published import HandPublished, integer_parameter
from qg_devstack.servers import RedisServer, StandinAddress
from tests.integration.data_plane.node_process import NodeProcess, free_ports
from tests.support.waiting import wait_until

CORS_ORIGIN = "https://app.example.com"


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, standin_server: StandinAddress) -> Iterator[HandPublished]:
    """The gateway's bundle; tests may change it and publish again, and must put back what they changed."""
    redis = RedisServer(tmp_path_factory.mktemp("node-redis"))
    redis.start()
    try:
        found = HandPublished(redis.address.url())
        _define(found, standin_server)
        asyncio.run(found.publish())
        yield found
    finally:
        redis.stop()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory, published: HandPublished) -> Iterator[NodeProcess]:
    """A data plane that serves the bundle."""
    directory = tmp_path_factory.mktemp("node")
    port, ops_port = free_ports(2)
    environ = {
        **published.environ(str(directory / "state"), port, ops_port),
        "CORS_ORIGINS": CORS_ORIGIN,
        "TRUSTED_PROXIES": "127.0.0.0/8",
        "SIGN_IN_FAILURES_CREDENTIAL_MAX": "3",
        "SIGN_IN_FORGERIES_ADDRESS_MAX": "20",
    }
    process = NodeProcess(environ, port, ops_port, directory / "log")
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


class Credentials:
    """What the consumers of the test bundle hold."""

    key = ""
    token = ""
    user, password = "alice", "correct horse battery"


def _define(published: HandPublished, standin: StandinAddress) -> None:
    connection = published.connection(
        standin.host, standin.port, standin.service_name, standin.user, standin.password, pool_max=3
    )
    nowhere = published.connection("127.0.0.1", 1, "NOWHERE", "nobody", "nothing", pool_timeout_s=1)
    keys, tokens = published.method(MethodType.API_KEY), published.method(MethodType.BEARER)
    passwords = published.method(MethodType.BASIC)
    Credentials.key = published.api_key(keys, "acme")
    Credentials.token = published.token(tokens, "acme")
    published.password(passwords, Credentials.user, Credentials.password)
    one, sql = integer_parameter("n"), "select :n as n, 'x' as label from dual"
    published.endpoint("open", sql, connection, None, parameters=one)
    published.endpoint("with/key", sql, connection, keys, parameters=one)
    published.endpoint("with/token", sql, connection, tokens, parameters=one)
    published.endpoint("with/password", sql, connection, passwords, parameters=one)
    published.endpoint("closed", sql, connection, None, parameters=one, allow_unauthenticated=False)
    published.endpoint("lost-method", sql, connection, "00000000-0000-4000-8000-000000000000", parameters=one)
    published.endpoint("old", sql, connection, None, parameters=one, is_deprecated=True, deprecation_note="Use open.")
    published.endpoint("stored", sql, connection, None, parameters={}, data_strategy=DataStrategy.SNAPSHOT)
    published.endpoint("unconnected", sql, "00000000-0000-4000-8000-000000000000", None, parameters=one)
    published.endpoint("unreachable", sql, nowhere, None, parameters=one)
    published.endpoint("broken", "select * from no_such_table", connection, None)
    published.endpoint("twice", "select 1 as a, 2 as a from dual", connection, None)
    wait = "select qg_sleep(:s) as s from dual"
    seconds = {"s": Parameter(type=ParameterType.FLOAT)}
    published.endpoint("slow", wait, connection, None, parameters=seconds, concurrency_max=2)
    published.endpoint("hasty", wait, connection, None, parameters=seconds, timeout_ms=300)
    many = "select l.order_id, l.line_no, l.status from order_lines l"
    published.endpoint("rows", many, connection, None, rows_max=7)
    published.endpoint("bytes", many, connection, None, rows_max=1_000, bytes_max=500)
    wide = "select l.order_id, l.status, o.note from order_lines l cross join (select note from orders) o"
    published.endpoint("large", wide, connection, None, rows_max=100_000)
    published.endpoint("large/hasty", wide, connection, None, rows_max=5_000_000, timeout_ms=1_500)
    published.endpoint("ready", wide, connection, None, rows_max=16_000)
    # A conversion that fails for the last of some orders: by then most rows are out.
    late = (
        "select to_number(case when o.order_id = 60 then 'x' else '1' end) as n, l.status, o.note "
        "from orders o cross join order_lines l where o.order_id <= 60"
    )
    published.endpoint("late-error", late, connection, None, rows_max=5_000_000)


@pytest.fixture(scope="session")
def credentials(published: HandPublished) -> type[Credentials]:
    return Credentials


@pytest.fixture
def quiet(node: NodeProcess) -> Iterator[NodeProcess]:
    """The node, whose database sessions must all be free again in the end."""
    yield node
    wait_until(lambda: node.metric("qg_pool_sessions_busy") == 0, "no session is busy")
    assert node.metric("qg_requests_running") == 0
