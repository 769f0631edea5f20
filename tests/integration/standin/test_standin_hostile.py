"""Junk on the port aborts its own connection and nobody else's."""

import asyncio
import random
import socket

import oracledb
import pytest

from tests.integration.standin.conftest import RunningStandin

_CONNECT = bytes.fromhex(
    "00 3a 00 00 01 00 00 00 01 3e 01 2c 0c 41 20 00 ff ff 4f 98 00 00 00 01 00 00 00 3a".replace(" ", "")
)
_JUNK = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x00" * 64,
    b"\xff" * 64,
    b"\x00\x04\x00\x00\x01\x00\x00\x00",
    b"\x00\x07\x00\x00\x06\x00\x00",
    _CONNECT,
    _CONNECT + bytes(60),
    b"\x00\x0c\x00\x00\x06\x00\x00\x00\x00\x00\x01\x06",
    b"\x00\x0b\x00\x00\x0c\x00\x00\x00\x01\x00\x01",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


def _send(port: int, junk: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(junk)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := client.recv(4096):
                answer += chunk
        except ConnectionError:
            pass
    return answer


@pytest.mark.parametrize("junk", _JUNK)
def test_junk_instead_of_a_connect(standin: RunningStandin, connection: oracledb.Connection, junk: bytes) -> None:
    assert len(_send(standin.server.port, junk)) < 4096
    assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


class Scrambler:
    """Forwards a connection and changes one byte of what the client sends."""

    def __init__(self, port: int, position: int, change: int) -> None:
        self._target, self._position, self._change = port, position, change
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]

        async def up() -> None:
            seen = 0
            while chunk := await reader.read(65_536):
                if seen <= self._position < seen + len(chunk):
                    index = self._position - seen
                    chunk = chunk[:index] + bytes((chunk[index] ^ self._change,)) + chunk[index + 1 :]
                seen += len(chunk)
                far_writer.write(chunk)
            far_writer.close()

        async def down() -> None:
            while chunk := await far_reader.read(65_536):
                writer.write(chunk)
            writer.close()

        await asyncio.gather(up(), down(), return_exceptions=True)


async def _one_session(port: int) -> None:
    dsn = f"127.0.0.1:{port}/FREEPDB1"
    async with await oracledb.connect_async(user="reader", password="reader-pw-1", dsn=dsn) as connection:
        connection.call_timeout = 500
        connection.module = "scrambled"
        await connection.fetchall("select order_id, note from orders where order_id < :n", [40])
        await connection.fetchall("select :a, :b from dual", ["text", 1.5])


async def test_one_changed_byte_anywhere_never_harms_others(standin: RunningStandin) -> None:
    source = random.Random(20251121)
    async with await standin.connect_async() as other:
        for _ in range(40):
            scrambler = Scrambler(standin.server.port, source.randrange(0, 5200), source.randrange(1, 256))
            async with scrambler as port:
                attempt = asyncio.ensure_future(_one_session(port))
                await asyncio.wait((attempt,), timeout=0.3)
                attempt.cancel()
            # Not before its connection is cut: the driver may wait for an answer that will never come, without a limit.
            await asyncio.gather(attempt, return_exceptions=True)
            assert await other.fetchone("select 1 from dual") == (1,)


async def test_many_connections_come_and_go(standin: RunningStandin) -> None:
    async def visit(number: int) -> None:
        async with await standin.connect_async() as connection:
            assert await connection.fetchone("select :n from dual", [number]) == (number,)

    for start in range(0, 60, 20):
        await asyncio.gather(*(visit(start + offset) for offset in range(20)))
