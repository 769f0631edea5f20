"""How fast the stand-in answers, and what it costs: it must never be what a benchmark of the gateway measures.

    python benchmarks/standin_speed.py [--seconds 3] [--connections 8] [--repeats 5]

Prints one line per case: point queries over async connections (few keys: cached answers; many keys: answers
of the engine) and rows of 6 columns (first run: the engine; repeats: cached pages), with the CPU of both
processes per query or row.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import oracledb
import psutil

_POINT = "select order_id, status, total_amount from orders where order_id = :id"
_ROWS = "select * from big_rows where row_id <= :n"
_STREAM = "select * from big_rows where row_id <= 1000000"


@dataclass(frozen=True)
class Standin:
    process: psutil.Process
    dsn: str
    password: str

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def standin() -> Iterator[Standin]:
    password = secrets.token_urlsafe(12)
    command = [sys.executable, "-m", "qg_standin", "--port", "0", "--demo"]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "QG_STANDIN_PASSWORD": password}
    )
    try:
        place = (child.stdout.readline() if child.stdout else "").split()[3]
        yield Standin(psutil.Process(child.pid), f"{place}/FREEPDB1", password)
    finally:
        child.terminate()
        child.wait(10)


async def connect(server: Standin) -> oracledb.AsyncConnection:
    connection: oracledb.AsyncConnection = await oracledb.connect_async(
        user="qg_demo", password=server.password, dsn=server.dsn
    )
    return connection


def report(name: str, server: Standin, count: int, wall_s: float, server_s: float, client_s: float, unit: str) -> None:
    print(
        f"{name:34} {count / wall_s:>10,.0f} {unit}/s   server {server_s / count * 1e6:6.2f} us"
        f"   client {client_s / count * 1e6:6.2f} us   server memory {server.process.memory_info().rss >> 20} MiB"
    )


async def points(server: Standin, name: str, connections: int, seconds: float, keys: Iterator[int]) -> None:
    opened = [await connect(server) for _ in range(connections)]
    count = 0

    async def run(connection: oracledb.AsyncConnection, until: float) -> None:
        nonlocal count
        with connection.cursor() as cursor:
            while time.perf_counter() < until:
                await cursor.execute(_POINT, {"id": next(keys)})
                await cursor.fetchall()
                count += 1

    cpu, own, start = server.cpu_s(), time.process_time(), time.perf_counter()
    await asyncio.gather(*(run(connection, start + seconds) for connection in opened))
    wall = time.perf_counter() - start
    report(name, server, count, wall, server.cpu_s() - cpu, time.process_time() - own, "queries")
    for connection in opened:
        await connection.close()


async def rows(server: Standin, name: str, sql: str, binds: dict[str, int], repeats: int) -> None:
    connection = await connect(server)
    count = 0
    with connection.cursor() as cursor:
        cursor.prefetchrows = cursor.arraysize = 5000
        cpu, own, start = server.cpu_s(), time.process_time(), time.perf_counter()
        for _ in range(repeats):
            await cursor.execute(sql, binds)
            while batch := await cursor.fetchmany(5000):
                count += len(batch)
        wall = time.perf_counter() - start
    report(name, server, count, wall, server.cpu_s() - cpu, time.process_time() - own, "rows")
    await connection.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with standin() as server:
        cached = itertools.cycle(range(1, 101))
        await points(server, "point query, 100 keys", arguments.connections, 0.5, cached)
        await points(server, "point query, 100 keys", arguments.connections, arguments.seconds, cached)
        fresh = itertools.cycle(range(1, 40_001))
        await points(server, "point query, 40,000 keys, cold", arguments.connections, 1.0, fresh)
        await rows(server, "10,000 rows, first time", _ROWS, {"n": 10_000}, 1)
        await rows(server, "10,000 rows, repeated", _ROWS, {"n": 10_000}, 10 * arguments.repeats)
        await rows(server, "1,000,000 rows", _STREAM, {}, 1)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
