"""How long 10,000 endpoints take to build, how long one edit takes to two nodes, and what it costs.

Run: `python -m benchmarks.catalog_build [--endpoints 10000] [--credentials 10000]`. Starts its own Postgres and Redis;
each node is a process of its own (`benchmarks.catalog_node`).
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from control_plane.publishing.activator import Pace
from qg_core.parameters import Parameter, ParameterType
from qg_devstack.databases import create_database
from qg_devstack.servers import PostgresServer, RedisServer
from qg_store import migrate
from qg_store.models import Endpoint, Revision
from tests.integration.publishing.rig import Rig, endpoint

SQL = "SELECT order_id, placed_at, total FROM orders WHERE customer_id = :customer_id AND placed_at >= :since"
PARAMETERS = {
    "customer_id": Parameter(type=ParameterType.INTEGER),
    "since": Parameter(type=ParameterType.DATE),
    "state": Parameter(type=ParameterType.STRING, required=False, default="open", max_length=20),
}
EDITS = 30


class NodeProcess:
    """A running `benchmarks.catalog_node` and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: dict[str, float] = {}
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, redis_url: str, state_dir: Path, rig: Rig) -> "NodeProcess":
        """Start a node."""
        environ = os.environ | {
            "REDIS_URL": redis_url,
            "STATE_DIR": str(state_dir),
            "VERIFY_KEY": rig.keys.verify,
            "SEAL_KEY": rig.keys.seal,
        }
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "benchmarks.catalog_node",
                env=environ,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )

    async def _read(self) -> None:
        stream = self._process.stdout
        while stream is not None and (line := await stream.readline()):
            what, number = line.decode().split()
            async with self._news:
                self.said[what] = float(number)
                self._news.notify_all()

    async def hear(self, what: str, timeout_s: float = 120) -> float:
        """What it says of `what`."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(lambda: what in self.said)
        return self.said[what]

    async def stop(self) -> None:
        """End it and read its last words."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        await self._reading


async def fill(rig: Rig, endpoints: int, credentials: int) -> Endpoint:
    """Publish everything in a few revisions; one of the endpoints."""
    connections = [rig.connection(f"c{number}") for number in range(10)]
    methods = [rig.api_key_method(f"m{number}") for number in range(10)]
    await rig.add(*connections, *methods)
    rows = [
        endpoint(
            connections[number % 10],
            methods[number % 10],
            f"team{number % 100}/report{number}",
            sql_text=SQL,
            param_schema=PARAMETERS,
        )
        for number in range(endpoints)
    ]
    for start in range(0, endpoints, 2_000):
        await rig.add(*rows[start : start + 2_000])
    found = [rig.credential(methods[number % 10], f"consumer-{uuid.uuid4()}") for number in range(credentials)]
    for start in range(0, credentials, 2_000):
        await rig.add(*found[start : start + 2_000])
    return rows[endpoints // 2]


def show_boot(source: str, said: dict[str, float]) -> None:
    """One line on a boot."""
    print(
        f"boot from {source}: {said['boot_s']:.2f} s ({said['boot_cpu_s']:.2f} s of CPU), longest slice of the build "
        f"{said['boot_slice_ms']:.1f} ms, longest pause of the event loop {said['boot_pause_ms']:.1f} ms, "
        f"{said['memory_mib']:.0f} MiB"
    )


async def measure(endpoints: int, credentials: int, directory: Path, database_url: str, redis_url: str) -> None:
    """Print one figure a line."""
    rig = Rig(database_url, redis_url, pace=Pace())
    started = time.perf_counter()
    row = await fill(rig, endpoints, credentials)
    print(f"publish of {endpoints} endpoints and {credentials} credentials: {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    done = await rig.parts.activation.run(redis_head=0)
    print(f"activation of everything: {time.perf_counter() - started:.2f} s, {done.specs} specs")
    first = await NodeProcess.start(redis_url, directory / "one", rig)
    await first.hear("following")
    await first.stop()
    show_boot("Redis", first.said)
    first = await NodeProcess.start("redis://127.0.0.1:1/0", directory / "one", rig)
    await first.hear("following")
    await first.stop()
    show_boot("disk", first.said)

    nodes = [await NodeProcess.start(redis_url, directory / name, rig) for name in ("one", "two")]
    for node in nodes:
        await node.hear("following")
    rig.parts.activator.start()
    await asyncio.sleep(5)
    taken: list[float] = []
    for number in range(EDITS):
        revision = await rig.edit(Endpoint, row.id, rows_max=10 + number)
        committed = time.time()
        swaps = [await node.hear(f"revision-{revision}") for node in nodes]
        taken.append((max(swaps) - committed) * 1_000)
        await asyncio.sleep(0.1)
    async with rig.session() as session:
        stored = await session.get_one(Revision, revision)
        print(f"one edit: a delta of {len(stored.delta)} bytes")
    for node in nodes:
        await node.stop()
    print(
        f"one edit from commit to both nodes: median {statistics.median(taken):.0f} ms, worst {max(taken):.0f} ms; "
        f"on a node {nodes[0].said['edits_cpu_s'] / EDITS * 1_000:.0f} ms of CPU, longest slice "
        f"{nodes[0].said['edits_slice_ms']:.1f} ms, longest pause {nodes[0].said['edits_pause_ms']:.1f} ms"
    )
    await rig.close()


def main() -> None:
    """Start the servers and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=10_000)
    parser.add_argument("--credentials", type=int, default=10_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "postgres").mkdir()
        postgres, redis = PostgresServer(directory / "postgres"), RedisServer(directory)
        try:
            postgres.start()
            redis.start()
            database_url = create_database(postgres.address, "bench")
            migrate.upgrade(database_url)
            asyncio.run(measure(chosen.endpoints, chosen.credentials, directory, database_url, redis.address.url()))
        finally:
            redis.stop()
            postgres.remove()


if __name__ == "__main__":
    main()
