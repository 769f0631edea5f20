"""Everything a benchmark needs, started and stopped: the stand-in, a Redis, the bare application, data planes.

No control plane: the bundle is published by hand, so that nothing else runs on the machine while it is measured.
"""

import asyncio
import contextlib
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks import snapshots
from benchmarks.access_storing import storing
from benchmarks.processes import Process, set_one_processor_apart
from benchmarks.queries import MILLION_PATH, MILLION_ROWS, MILLION_SQL, POINT_PATH, POINT_SQL, ROWS_PATH, ROWS_SQL
from qg_core.specs import MethodType
from qg_devstack.hand_published import HandPublished, integer_parameter
from qg_devstack.servers import RedisServer, StandinOptions, StandinServer

POOL_SIZE = 8
STANDIN_SCALE = 0.2
START_TIMEOUT_S = 60.0

PUBLIC, API_KEY, BEARER = "public", "api_key", "bearer"


class Server(msgspec.Struct, frozen=True):
    """One process that is measured."""

    pid: int
    port: int


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What runs: the bare application and a data plane; two more data planes of the same life, one without access log.

    `headers` are the request headers by kind of authentication.
    """

    bare: Server
    gateway: Server
    recorded: Server
    unrecorded: Server
    headers: dict[str, list[str]]


@contextlib.contextmanager
def started(directory: Path) -> Iterator[Bench]:
    """Start everything under `directory`; the servers' logs lie there."""
    processor = set_one_processor_apart()
    with contextlib.ExitStack() as stack:
        standin = StandinServer(_made(directory / "standin"), options=StandinOptions(scale=STANDIN_SCALE))
        standin.start()
        stack.callback(standin.stop)
        redis = RedisServer(_made(directory / "redis"))
        redis.start()
        stack.callback(redis.stop)
        oracle = standin.address
        (bare_port,) = _free_ports(1)
        published = HandPublished(redis.address.url())
        connection_id = published.connection(
            oracle.host,
            oracle.port,
            oracle.service_name,
            oracle.user,
            oracle.password,
            pool_min=POOL_SIZE,
            pool_max=POOL_SIZE,
        )
        static = _made(directory / "static")
        headers = _publish(published, connection_id)
        asyncio.run(snapshots.store(published, snapshots.fetched_rows(oracle), static))
        bare = Process(
            [
                "-m",
                "benchmarks.bare_app",
                *("--port", str(bare_port)),
                *("--dsn", f"{oracle.host}:{oracle.port}/{oracle.service_name}"),
                *("--user", oracle.user),
                *("--pool-size", str(POOL_SIZE)),
                *("--static", str(static)),
            ],
            {**os.environ, "ORACLE_PASSWORD": oracle.password},
            directory / "bare.log",
            processor,
        )
        stack.callback(bare.stop)
        _wait_until_ready(bare, f"http://127.0.0.1:{bare_port}/point?order_id=1")
        stack.enter_context(storing(redis.address.url(), published.seal_key))
        yield Bench(
            bare=Server(bare.pid, bare_port),
            gateway=_data_plane(stack, published, directory / "gateway", processor),
            recorded=_data_plane(stack, published, directory / "recorded", processor),
            unrecorded=_data_plane(stack, published, directory / "unrecorded", processor, access_log=False),
            headers=headers,
        )


def _data_plane(
    stack: contextlib.ExitStack, published: HandPublished, directory: Path, processor: int, *, access_log: bool = True
) -> Server:
    port, ops_port = _free_ports(2)
    environ = {
        **os.environ,
        **published.environ(str(directory), port, ops_port),
        "ACCESS_LOG": str(access_log).lower(),
    }
    process = Process(["-m", "cli.main", "data-plane"], environ, directory.with_suffix(".log"), processor)
    stack.callback(process.stop)
    _wait_until_ready(process, f"http://127.0.0.1:{ops_port}/-/ready")
    return Server(process.pid, port)


def _publish(published: HandPublished, connection_id: str) -> dict[str, list[str]]:
    keys, tokens = published.method(MethodType.API_KEY), published.method(MethodType.BEARER)
    for kind, method_id in ((PUBLIC, None), (API_KEY, keys), (BEARER, tokens)):
        published.endpoint(
            f"{POINT_PATH}/{kind}",
            POINT_SQL,
            connection_id,
            method_id,
            parameters=integer_parameter("order_id"),
            concurrency_max=100,
        )
        published.endpoint(
            f"{ROWS_PATH}/{kind}", ROWS_SQL, connection_id, method_id, rows_max=10_000, concurrency_max=100
        )
    published.endpoint(
        MILLION_PATH, MILLION_SQL, connection_id, None, rows_max=MILLION_ROWS, concurrency_max=1, timeout_ms=300_000
    )
    headers = {
        PUBLIC: [],
        API_KEY: [f"X-Api-Key: {published.api_key(keys, 'bench')}"],
        BEARER: [f"Authorization: Bearer {published.token(tokens, 'bench')}"],
    }
    snapshots.define(published, connection_id)
    asyncio.run(published.publish())
    return headers


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_until_ready(process: Process, url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        process.check()
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  # our own http://127.0.0.1
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} did not answer within {START_TIMEOUT_S:.0f} s")
