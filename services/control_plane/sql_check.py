"""Checks statements in other processes, so that parsing never holds the event loop and can be stopped.

A thread would share the interpreter lock with the loop and can't be killed; see docs/adr/0006.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

import msgspec

from qg_core.errors import NodeBusy
from qg_core.sql_policy import SqlFacts, SqlProblem, SqlRefused
from qg_core.sql_policy.characters import check_characters, check_size
from qg_core.sql_policy.findings import refusal

from .sql_check_messages import Accepted, Answer, CheckRequest, Refused, frame, frame_length

PROCESSES = 2  # one may hang for its whole time limit: what comes meanwhile goes to the second, or waits for its start
WAITING_MAX = 32
TIME_LIMIT_MS = 1_500
WAIT_LIMIT_MS = 5_000
START_LIMIT_S = 30.0
_RESTART_PAUSE_S = 0.5
# All that a Python child needs to start; the control plane's secrets stay out of it.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
_LOST = (OSError, EOFError, ValueError, msgspec.MsgspecError)
_ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class SqlCheckBusy(NodeBusy):
    """Too many statements are waiting to be checked, or none could be checked in time to wait for."""

    default_detail = "Too many statements are being checked. Try again."


class SqlCheckTimeout(SqlRefused):
    """The statement took too long to check; a refusal like any other (rule `time`)."""

    def __init__(self) -> None:
        message = "The statement took too long to be checked; simplify it or put it into a database view."
        super().__init__((SqlProblem(message, 1, 1, "time"),))


class _Child:
    """One process and the pipes to it. Used by one check at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ask(self, request: CheckRequest) -> Answer:
        """Raises one of _LOST when the process is gone or talks nonsense."""
        stdin = self.process.stdin
        if stdin is None:
            raise EOFError
        stdin.write(frame(request))
        await stdin.drain()
        return await self.hear()

    async def hear(self) -> Answer:
        stdout = self.process.stdout
        if stdout is None:
            raise EOFError
        header = await stdout.readexactly(4)
        return _ANSWERS.decode(await stdout.readexactly(frame_length(header)))

    async def end(self) -> None:
        """Kill and reap; safe to call twice."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()


class SqlChecker:
    """A small pool of parsing processes. One per control plane; `start` before use, `stop` after.

    It begins with one process; each further one, up to `processes`, is started when a check finds none free.
    """

    def __init__(
        self,
        *,
        processes: int = PROCESSES,
        waiting_max: int = WAITING_MAX,
        time_limit_ms: int = TIME_LIMIT_MS,
        wait_limit_ms: int = WAIT_LIMIT_MS,
    ) -> None:
        self._processes_max = processes
        self._places = 0
        self._waiting_max = waiting_max
        self._time_limit_s = time_limit_ms / 1_000
        self._wait_limit_s = wait_limit_ms / 1_000
        self._free: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
        self._children: set[_Child] = set()
        self._starts: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._stopped = True

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that run now."""
        return tuple(child.process.pid for child in self._children)

    async def start(self) -> None:
        """Start the first process; returns when it is ready. Raises OSError or TimeoutError."""
        self._stopped = False
        self._places = 1
        try:
            self._free.put_nowait(await self._spawn())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every process. Checks under way fail with SqlCheckBusy."""
        self._stopped = True
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        await asyncio.gather(*(child.end() for child in tuple(self._children)))
        self._children.clear()
        self._free = asyncio.LifoQueue()

    async def check(self, sql_text: str, allowed_functions: frozenset[str] = frozenset()) -> SqlFacts:
        """The facts of `sql_text`. Raises SqlRefused, SqlCheckTimeout (a SqlRefused) or SqlCheckBusy.

        Answers within `wait_limit_ms` + 2 * `time_limit_ms`.
        """
        too_large = check_size(sql_text)
        if found := [too_large] if too_large else [*check_characters(sql_text)]:
            raise refusal(sql_text, found)  # can't be sent at all: too long, or without UTF-8
        request = CheckRequest(sql_text, tuple(sorted(allowed_functions)))
        for _ in range(2):  # once more when the process died under it: that need not be the statement's fault
            answer = await self._ask(request)
            if isinstance(answer, Accepted):
                return answer.facts
            if isinstance(answer, Refused):
                raise SqlRefused(answer.problems)
        raise SqlCheckBusy

    async def _ask(self, request: CheckRequest) -> Answer | None:
        """One attempt; None when the process was lost."""
        child = await self._take()
        answer: Answer | None = None
        try:
            async with asyncio.timeout(self._time_limit_s):
                answer = await child.ask(request)
        except TimeoutError:
            raise SqlCheckTimeout from None
        except _LOST:
            return None
        finally:
            # Cancelled, too slow or lost: what the pipe holds next is unknown, so the process goes.
            if isinstance(answer, (Accepted, Refused)) and not self._stopped:
                self._free.put_nowait(child)
            else:
                self._fill(child)
        return answer

    async def _take(self) -> _Child:
        if self._stopped or self._waiting >= self._waiting_max:
            raise SqlCheckBusy
        if self._free.empty() and self._places < self._processes_max:
            self._places += 1
            self._fill(None)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_limit_s):
                return await self._free.get()
        except TimeoutError:
            raise SqlCheckBusy from None
        finally:
            self._waiting -= 1

    async def _spawn(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the working directory holds no code of ours
            "-m",
            "control_plane.sql_check_child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        child = _Child(process)
        self._children.add(child)
        try:
            async with asyncio.timeout(START_LIMIT_S):
                await child.hear()  # Ready
        except BaseException:
            self._children.discard(child)
            await child.end()
            raise
        return child

    def _fill(self, lost: _Child | None) -> None:
        """Start a process in the background: in the place of `lost`, or in a new one."""
        start = asyncio.create_task(self._start_one(lost), name="sql-check-start")
        self._starts.add(start)
        start.add_done_callback(self._starts.discard)

    async def _start_one(self, lost: _Child | None) -> None:
        if lost is not None:
            await lost.end()
            self._children.discard(lost)
        while not self._stopped:
            try:
                self._free.put_nowait(await self._spawn())
            except _LOST:
                await asyncio.sleep(_RESTART_PAUSE_S)
            else:
                return
