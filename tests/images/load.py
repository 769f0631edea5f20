"""A steady, bounded load through nginx over TLS, from connections that stay open."""

import asyncio
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field

ANSWER_TIMEOUT_S = 20.0


@dataclass
class Outcome:
    """What came back: how many of each status, refusals and failures in words, how long answers took, in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)

    def latency_s(self, share: float) -> float:
        """The latency that `share` (0 to 1) of the answers stayed within."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True)
class Target:
    """Where the load goes: a port on loopback, the path, the lines of further headers."""

    port: int
    path: str
    trust: ssl.SSLContext
    headers: tuple[str, ...] = ()


class _Caller:
    """One kept-alive connection, one request at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> tuple[int, bytes]:
        """Status and body of one request whose whole answer arrived. Raises OSError, EOFError or TimeoutError."""
        target = self._target
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            if self._streams is None:
                self._streams = await asyncio.open_connection("localhost", target.port, ssl=target.trust)
            reader, writer = self._streams
            lines = (f"GET {target.path} HTTP/1.1", f"Host: localhost:{target.port}", *target.headers, "", "")
            writer.write("\r\n".join(lines).encode())
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length))
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def load(target: Target, per_second: int, seconds_max: float, enough: asyncio.Event, connections: int) -> Outcome:
    """Requests at a steady pace until `enough` is set, at most `seconds_max`."""
    outcome = Outcome()
    began = time.monotonic()

    async def run(number: int) -> None:
        caller = _Caller(target)
        due = began + number / per_second
        while not enough.is_set() and due - began < seconds_max:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            try:
                status, body = await caller.ask()
                outcome.statuses[status] += 1
                outcome.latencies_s.append(time.monotonic() - sent)
                if status != 200:
                    outcome.refusals.append(f"{sent - began:.2f} s: {status} {body.decode()}")
            except (OSError, EOFError, TimeoutError) as error:
                outcome.failures.append(f"{sent - began:.2f} s: {error!r}")
                caller.close()
            due += connections / per_second
        caller.close()

    await asyncio.gather(*(run(number) for number in range(connections)))
    return outcome
