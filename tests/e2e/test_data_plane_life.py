"""A data-plane node from its start to its end, without a control plane: readiness, age, drain, disk, crowds."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cli.main import main as cli_main
from qg_core.parameters import Parameter, ParameterType
from qg_core.specs import MethodType
from qg_devstack.hand_published import HandPublished, integer_parameter
from qg_devstack.servers import RedisServer, StandinAddress
from tests.fixtures.redis import StartRedis
from tests.integration.data_plane.node_process import NodeProcess, free_ports
from tests.support import loopback
from tests.support.waiting import wait_until

StartNode = Callable[..., NodeProcess]


@pytest.fixture
def redis(start_redis: StartRedis) -> RedisServer:
    return start_redis()


@pytest.fixture
def published(redis: RedisServer, standin_server: StandinAddress) -> HandPublished:
    """One public, one protected and one slow endpoint; not published yet."""
    found = HandPublished(redis.address.url())
    oracle = standin_server
    connection = found.connection(
        oracle.host, oracle.port, oracle.service_name, oracle.user, oracle.password, pool_max=4
    )
    sql, one = "select :n as n from dual", integer_parameter("n")
    found.endpoint("open", sql, connection, None, parameters=one)
    found.endpoint("closed", sql, connection, found.method(MethodType.API_KEY), parameters=one)
    seconds = {"s": Parameter(type=ParameterType.FLOAT)}
    sleep = "select qg_sleep(:s) as s from dual"
    found.endpoint("slow", sleep, connection, None, parameters=seconds, concurrency_max=100)
    return found


@pytest.fixture
def start_node(tmp_path: Path, published: HandPublished) -> Iterator[StartNode]:
    """`start_node(name="a", ready=True, **settings)`; the same name means the same STATE_DIR."""
    nodes: list[NodeProcess] = []

    def start(name: str = "a", *, ready: bool = True, **settings: str) -> NodeProcess:
        port, ops_port = free_ports(2)
        environ = {**published.environ(str(tmp_path / name), port, ops_port), **settings}
        node = NodeProcess(environ, port, ops_port, tmp_path / f"{name}-{len(nodes)}.log")
        nodes.append(node)
        if ready:
            node.wait_until_ready()
        return node

    yield start
    for node in nodes:
        node.stop()


def wait_for_status(node: NodeProcess, path: str, status: int) -> httpx.Response:
    deadline = time.monotonic() + 15
    while True:
        try:
            answer = node.get(path)
            if answer.status_code == status:
                return answer
            last = answer.text
        except httpx.HTTPError as error:
            last = repr(error)
        assert time.monotonic() < deadline, last
        time.sleep(0.05)


def test_not_ready_until_something_is_published(published: HandPublished, start_node: StartNode) -> None:
    node = start_node(ready=False)
    answer = wait_for_status(node, "open?n=1", 503)
    assert answer.json()["code"] == "not_ready"
    assert answer.headers["retry-after"] == "1"
    assert "x-qg-revision" not in answer.headers
    assert loopback.get(f"http://127.0.0.1:{node.ops_port}/-/live").status_code == 200
    assert loopback.get(f"http://127.0.0.1:{node.ops_port}/-/ready").status_code == 503
    asyncio.run(published.publish())
    wait_for_status(node, "open?n=1", 200)
    assert loopback.get(f"http://127.0.0.1:{node.ops_port}/-/ready").status_code == 200


def test_an_old_state_closes_protected_endpoints_only(published: HandPublished, start_node: StartNode) -> None:
    asyncio.run(published.publish(age_s=3_600))
    node = start_node(STALENESS_MAX_S="60")
    assert node.get("open?n=1").status_code == 200
    answer = node.get("closed?n=1")
    assert (answer.status_code, answer.json()["code"]) == (503, "catalog_stale")
    unlimited = start_node("b", STALENESS_MAX_S="off")
    assert unlimited.get("closed?n=1").status_code == 401


def test_waiting_for_a_revision(published: HandPublished, start_node: StartNode) -> None:
    asyncio.run(published.publish())
    node = start_node()
    answers: list[httpx.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(node.get("open?n=1", X_QG_Min_Revision="2")))
    waiting.start()
    asyncio.run(published.publish())
    waiting.join(10)
    assert answers[0].status_code == 200
    assert answers[0].headers["x-qg-revision"] == "2"


def test_serving_goes_on_without_redis_and_after_a_restart(
    published: HandPublished, redis: RedisServer, start_node: StartNode
) -> None:
    asyncio.run(published.publish())
    node = start_node()
    assert node.get("open?n=1").status_code == 200
    redis.kill()
    assert node.get("open?n=1").status_code == 200
    node.stop()
    again = start_node()
    assert again.get("open?n=1").status_code == 200
    assert again.get("closed?n=1").status_code == 401


def test_a_running_query_ends_before_the_node_does(published: HandPublished, start_node: StartNode) -> None:
    asyncio.run(published.publish())
    node = start_node()
    answers: list[httpx.Response] = []
    running = threading.Thread(target=lambda: answers.append(node.get("slow?s=1.5")))
    running.start()
    wait_until(lambda: node.metric("qg_requests_running") >= 1, "it runs")
    node.process.send_signal(signal.SIGTERM)
    running.join(15)
    assert answers[0].status_code == 200
    assert node.process.wait(15) == 0
    events = [line["event"] for line in node.log_lines()]
    assert events.index("service_draining") < events.index("request_served") < events.index("service_stopped")


def test_no_request_fails_while_a_node_drains_and_stops(published: HandPublished, start_node: StartNode) -> None:
    """Clients do what HTTP says: after `Connection: close` they connect again, to where the balancer sends them."""
    asyncio.run(published.publish())
    node, other = start_node(), start_node("b")
    leaving = threading.Event()
    failed: list[str] = []
    served = [0]

    def call() -> None:
        while not leaving.is_set() or served[0] < 100:
            ready = loopback.get(f"http://127.0.0.1:{node.ops_port}/-/ready").status_code == 200
            with loopback.client(f"http://127.0.0.1:{(node if ready else other).port}") as client:
                closed = False
                while not closed and not leaving.is_set():
                    answer = client.get("/api/v1/data/open?n=1")
                    closed = answer.headers.get("connection") == "close"
                    served[0] += 1
                    if answer.status_code != 200:
                        failed.append(answer.text)
            if not ready:
                return

    def call_and_tell() -> None:
        try:
            call()
        except httpx.HTTPError as error:
            failed.append(repr(error))

    callers = [threading.Thread(target=call_and_tell) for _ in range(4)]
    for caller in callers:
        caller.start()
    wait_until(lambda: served[0] >= 100, "there is load")
    assert cli_main(["drain", "--pid", str(node.process.pid), "--seconds", "1"], {}) == 0
    assert wait_for_status(node, "open?n=1", 200).headers["connection"] == "close"
    assert loopback.get(f"http://127.0.0.1:{node.ops_port}/-/ready").status_code == 503
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(15) == 0
    leaving.set()
    for caller in callers:
        caller.join(20)
    assert failed == []


def test_a_thousand_clients_that_leave(published: HandPublished, start_node: StartNode) -> None:
    asyncio.run(published.publish())
    node = start_node()
    for _ in range(5):
        crowd = [node.connect("slow?s=30") for _ in range(200)]
        wait_until(lambda: node.metric("qg_pool_sessions_busy") >= 4, "every session is busy")
        for connection in crowd:
            connection.close()
        # The next crowd would find the endpoint's places taken by the one that just left.
        wait_until(
            lambda: node.metric("qg_pool_sessions_busy") + node.metric("qg_requests_running") == 0, "all is free", 20
        )
    assert node.get("slow?s=0.01").status_code == 200


def test_a_full_node_says_so(published: HandPublished, start_node: StartNode) -> None:
    asyncio.run(published.publish())
    node = start_node(REQUESTS_IN_FLIGHT_MAX="1")
    with node.connect("slow?s=5"):
        wait_until(lambda: node.metric("qg_requests_running") >= 1, "it runs")
        answer = node.get("open?n=1")
    assert (answer.status_code, answer.json()["code"]) == (503, "node_busy")
    wait_for_status(node, "open?n=1", 200)


def test_wrong_settings_are_reported_together(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", "data-plane"],
        env={
            "GATEWAY_ID": "NO",
            "DEBUG": "true",
            "PORT": "0",
            "STATE_DIR": str(tmp_path),
            "BUNDLE_SEAL_KEY": "not-a-key",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    for name in ("GATEWAY_ID", "DEBUG", "PORT", "REDIS_URL", "BUNDLE_VERIFY_KEYS", "BUNDLE_SEAL_KEY"):
        assert name in ended.stderr
    assert "not-a-key" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_talks_to_postgres_is_never_loaded() -> None:
    program = (
        "import sys, data_plane.__main__\n"
        "print([name for name in ('sqlalchemy', 'asyncpg', 'alembic', 'litestar', 'qg_store') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"
