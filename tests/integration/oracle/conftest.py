"""A stand-in in the test's own process and loop, whose faults tests can switch on, and pools that end clean."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from qg_core.specs import Address
from qg_devstack.servers import StandinAddress
from qg_oracle.events import OracleEvent
from qg_oracle.pools import Pools
from qg_oracle.targets import ConnectionTarget
from qg_standin.server import StandinServer
from tests.integration.oracle.valve import Valve

USER, PASSWORD = "QG_READER", "only-for-this-test"

MakeTarget = Callable[..., ConnectionTarget]


@pytest.fixture(scope="session")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop that the services run on."""
    policy: asyncio.AbstractEventLoopPolicy = uvloop.EventLoopPolicy()
    return policy


@pytest.fixture
async def standin() -> AsyncIterator[StandinServer]:
    """An empty stand-in with one account that may only read."""
    server = StandinServer(users={USER: PASSWORD})
    await server.start()
    try:
        yield server
    finally:
        server.faults.clear()
        await server.stop()


@pytest.fixture
async def valve(standin: StandinServer) -> AsyncIterator[Valve]:
    """A way to the stand-in that can be frozen or cut."""
    async with Valve("127.0.0.1", standin.port) as valve:
        yield valve


@pytest.fixture
def make_target(standin: StandinServer) -> MakeTarget:
    """`make_target(port=..., pool_max=..., ...)`: a target of the stand-in with some fields replaced."""

    def make(*, port: int | None = None, host: str = "127.0.0.1", **fields: object) -> ConnectionTarget:
        values: dict[str, object] = {
            "connection_id": "00000000-0000-4000-8000-000000000001",
            "addresses": (Address(protocol="tcp", host=host, port=port or standin.port),),
            "service_name": "FREEPDB1",
            "sid": None,
            "username": USER,
            "password": PASSWORD,
        }
        values.update(fields)
        return ConnectionTarget(**values)  # type: ignore[arg-type]  # tests replace fields by name

    return make


@pytest.fixture
def database(standin_server: StandinAddress) -> ConnectionTarget:
    """A target of the worker's stand-in, or of your own database: for what needs no faults."""
    return ConnectionTarget(
        connection_id="00000000-0000-4000-8000-000000000002",
        addresses=(Address(protocol="tcp", host=standin_server.host, port=standin_server.port),),
        service_name=standin_server.service_name,
        sid=None,
        username=standin_server.user,
        password=standin_server.password,
    )


@pytest.fixture
def events() -> list[OracleEvent]:
    return []


@pytest.fixture
async def pools(events: list[OracleEvent]) -> AsyncIterator[Pools]:
    """Pools whose sessions must all be back when the test is over."""
    pools = Pools(events.append)
    try:
        yield pools
        await settled(pools)
    finally:
        await pools.close(grace_s=2)


async def settled(pools: Pools, within_s: float = 15.0) -> None:
    """Wait until no session is in use and nobody waits for one; fails when that doesn't come."""
    async with asyncio.timeout(within_s):
        while pools.busy or any(pool.waiting for pool in pools.statistics()):  # noqa: ASYNC110 - a number to watch, nothing that could tell
            await asyncio.sleep(0.01)
