"""What the gateway is measured against: Granian and oracledb and nothing else.

The same statements, pool size, arraysize, harness (Granian's embedded server on uvloop, HTTP/1.1) and JSON encoder; no
routing, no authentication, no parameters beyond one integer, no limits, no deadline, no log line, two headers.

    ORACLE_PASSWORD=... python -m benchmarks.bare_app --port 8090 --dsn 127.0.0.1:1521/FREEPDB1 --user qg --static DIR
"""

import argparse
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import oracledb
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from benchmarks.queries import POINT_SQL, ROWS_SQL

POINT_ARRAYSIZE = 100
ROWS_ARRAYSIZE = 5_000

Send = Callable[[dict[str, Any]], Awaitable[None]]

_encode = msgspec.json.Encoder(decimal_format="number").encode


class BareApp:
    """`/point?order_id=N`, `/rows`, and `/static/<name>`: bytes that are in memory, by name."""

    def __init__(self, pool: oracledb.AsyncConnectionPool, static: dict[str, bytes]) -> None:
        self._pool = pool
        self._static = static

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:  # noqa: ARG002  # ASGI
        static = self._static.get(scope["path"])
        if static is not None:
            await _send(send, static)
            return
        if scope["path"] == "/point":
            order_id = int(scope["query_string"].partition(b"=")[2])
            rows = await self._query(POINT_SQL, {"order_id": order_id}, POINT_ARRAYSIZE)
        else:
            rows = await self._query(ROWS_SQL, {}, ROWS_ARRAYSIZE)
        body = _encode({"data": rows, "row_count": len(rows)})
        await _send(send, body)

    async def _query(self, sql: str, binds: dict[str, int], arraysize: int) -> list[dict[str, Any]]:
        async with self._pool.acquire() as connection:
            with connection.cursor() as cursor:
                cursor.arraysize = arraysize
                cursor.prefetchrows = arraysize
                await cursor.execute(sql, binds)
                names = [column.name for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


async def _send(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve(options: argparse.Namespace) -> None:
    """Serve until the process is stopped."""
    pool = oracledb.create_pool_async(
        user=options.user,
        password=os.environ[options.password_env],
        dsn=options.dsn,
        min=options.pool_size,
        max=options.pool_size,
    )
    static = {f"/static/{path.name}": path.read_bytes() for path in options.static.iterdir()}
    server = Server(
        BareApp(pool, static),
        port=options.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    await server.serve()


def main() -> None:
    """Run the application from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-env", default="ORACLE_PASSWORD", help="variable that holds the password")
    parser.add_argument("--pool-size", type=int, default=8)
    parser.add_argument("--static", type=Path, required=True, help="directory of what is sent from memory")
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
