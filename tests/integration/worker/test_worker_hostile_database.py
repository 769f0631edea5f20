"""Databases that hang, trickle or talk nonsense: the run ends in time, and its slot and the worker are free again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from tests.integration.worker.rig import WorkerRig

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def trickling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A packet of the largest size there is, one byte at a time."""
    writer.write(b"\xff\xff\x00\x00\x02\x00\x00\x00")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.2)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Packet after packet that asks for the last one again (RESEND)."""
    while True:
        writer.write(b"\x00\x08\x00\x00\x0b\x00\x00\x00" * 1_000)
        await writer.drain()
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def database(talk: Talk) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize(
    "talk", [silent, pytest.param(trickling, marks=pytest.mark.long), pytest.param(endless, marks=pytest.mark.long)]
)
async def test_it_holds_neither_slot_nor_worker(gate: WorkerRig, talk: Talk) -> None:
    async with database(talk) as port:
        hostile = gate.connection_to("127.0.0.1", port)
        await gate.publishing.add(hostile)
        bad = await gate.run_of("select 1 as one from dual", connection=hostile, timeout_ms=2_000)
        worker = gate.worker(MAX_JOB_CONCURRENCY="1")
        await gate.until_status(bad, "queued", "failed", "timeout")
        good = await gate.run_of("select 1 as one from dual")
        await gate.until_status(good, "success")
        run = await gate.until_status(bad, "failed", "timeout", timeout_s=40)
        assert run.error_detail
        assert await gate.rows("SELECT slot FROM job_slots WHERE run_id IS NOT NULL") == []
        assert not worker.lines(event="unforeseen_error")
        assert not worker.lines(event="lease_lost")
