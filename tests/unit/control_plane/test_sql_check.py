"""The pool of parsing processes: real processes, killed, stopped and flooded."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from control_plane.sql_check import SqlCheckBusy, SqlChecker, SqlCheckTimeout
from qg_core.sql_policy import SqlRefused
from tests.support.waiting import until

# Its parse takes long enough to be caught by a tiny limit, and it is legal.
LONG_STATEMENT = "select * from t where a in (" + ", ".join(str(i) for i in range(5_000)) + ")"


@asynccontextmanager
async def running(**limits: int) -> AsyncIterator[SqlChecker]:
    checker = SqlChecker(**limits)
    await checker.start()
    try:
        yield checker
    finally:
        await checker.stop()
        assert checker.pids == ()


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def start_parent(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def is_gone(pid: int) -> bool:
    """No such process, or only its entry waits to be reaped by somebody else."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_facts_and_refusals_come_back() -> None:
    async with running(processes=1) as checker:
        facts = await checker.check("select :B, my_pkg.f from app.t", frozenset({"my_pkg.f"}))
        assert facts.binds == ("b",)
        assert facts.tables == ("APP.T",)
        with pytest.raises(SqlRefused) as refused:
            await checker.check("select my_pkg.f from app.t")
        assert [problem.rule for problem in refused.value.problems] == ["package_call"]
        pids = checker.pids
        with pytest.raises(SqlRefused):
            await checker.check("select '\ud800' from dual")
        with pytest.raises(SqlRefused):
            await checker.check("x" * 1_000_000)
        assert checker.pids == pids


async def test_many_at_once_all_get_their_own_answer() -> None:
    async with running(processes=2, waiting_max=100, wait_limit_ms=30_000) as checker:
        facts = await asyncio.gather(*(checker.check(f"select :b{i} from t{i}") for i in range(60)))
        assert [(f.binds, f.tables) for f in facts] == [((f"b{i}",), (f"T{i}",)) for i in range(60)]
        await until(lambda: len(checker.pids) == 2)


async def test_a_further_process_is_started_only_when_one_is_missing() -> None:
    async with running(processes=2) as checker:
        for _ in range(5):
            await checker.check("select 1 from dual")
        assert len(checker.pids) == 1
        (first,) = checker.pids
        await asyncio.gather(*(checker.check("select 1 from dual") for _ in range(2)))
        await until(lambda: len(checker.pids) == 2)
        assert first in checker.pids
        await asyncio.gather(*(checker.check("select 1 from dual") for _ in range(10)))
        assert len(checker.pids) == 2


async def test_a_statement_over_the_time_limit_is_refused_and_the_process_replaced() -> None:
    async with running(processes=1, time_limit_ms=5, wait_limit_ms=20_000) as checker:
        (pid,) = checker.pids
        with pytest.raises(SqlCheckTimeout) as refused:
            await checker.check(LONG_STATEMENT)
        assert [problem.rule for problem in refused.value.problems] == ["time"]
        await until(lambda: is_gone(pid))
        await until(lambda: len(checker.pids) == 1 and checker.pids != (pid,))


async def test_a_hanging_process_holds_up_nobody_else() -> None:
    async with running(processes=2, time_limit_ms=20_000, wait_limit_ms=20_000) as checker:
        (stuck,) = checker.pids
        os.kill(stuck, signal.SIGSTOP)
        slow = [asyncio.create_task(checker.check("select 1 from dual")) for _ in range(2)]
        done, pending = await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().tables for task in done] == [("DUAL",)]
        for _ in range(10):
            await checker.check("select 2 from dual")
        assert not any(task.done() for task in pending)
        os.kill(stuck, signal.SIGCONT)
        assert (await pending.pop()).tables == ("DUAL",)


async def test_killed_while_idle() -> None:
    async with running(processes=1, wait_limit_ms=20_000) as checker:
        (pid,) = checker.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: is_gone(pid))
        assert (await checker.check("select 1 from dual")).tables == ("DUAL",)
        assert checker.pids != (pid,)


async def test_killed_in_the_middle_of_a_check() -> None:
    async with running(processes=1, time_limit_ms=20_000, wait_limit_ms=20_000) as checker:
        (pid,) = checker.pids
        os.kill(pid, signal.SIGSTOP)
        checking = asyncio.create_task(checker.check("select 1 from dual"))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        assert (await checking).tables == ("DUAL",)


async def test_a_cancelled_check_leaves_no_answer_behind() -> None:
    async with running(processes=1, time_limit_ms=20_000, wait_limit_ms=20_000) as checker:
        os.kill(checker.pids[0], signal.SIGSTOP)
        checking = asyncio.create_task(checker.check("select 1 from wrong"))
        await asyncio.sleep(0.05)
        checking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await checking
        assert (await checker.check("select 1 from dual")).tables == ("DUAL",)


async def test_the_queue_is_bounded_in_number_and_time() -> None:
    async with running(processes=1, waiting_max=1, time_limit_ms=20_000, wait_limit_ms=200) as checker:
        (pid,) = checker.pids
        os.kill(pid, signal.SIGSTOP)
        first = asyncio.create_task(checker.check("select 1 from dual"))
        await asyncio.sleep(0)
        second = asyncio.create_task(checker.check("select 2 from dual"))
        await asyncio.sleep(0)
        with pytest.raises(SqlCheckBusy):
            await checker.check("select 3 from dual")
        with pytest.raises(SqlCheckBusy):
            await second
        os.kill(pid, signal.SIGCONT)
        assert (await first).tables == ("DUAL",)


async def test_not_started_or_stopped_is_busy() -> None:
    checker = SqlChecker(processes=1)
    with pytest.raises(SqlCheckBusy):
        await checker.check("select 1 from dual")
    async with running(processes=1) as checker:
        pass
    with pytest.raises(SqlCheckBusy):
        await checker.check("select 1 from dual")


async def test_the_child_holds_no_secret_and_ignores_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "very-secret")
    async with running(processes=1) as checker:
        (pid,) = checker.pids
        assert b"very-secret" not in environment_of(pid)
        os.kill(pid, signal.SIGINT)
        await checker.check("select 1 from dual")
        assert checker.pids == (pid,)


@pytest.mark.fault
async def test_the_children_go_with_a_killed_parent() -> None:
    program = (
        "import asyncio\n"
        "from control_plane.sql_check import SqlChecker\n"
        "async def main():\n"
        "    checker = SqlChecker(processes=2)\n"
        "    await checker.start()\n"
        "    await asyncio.gather(*(checker.check('select 1 from dual') for _ in range(2)))\n"
        "    while len(checker.pids) < 2:\n"
        "        await asyncio.sleep(0.01)\n"
        "    print(*checker.pids, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = start_parent(program)
    try:
        assert parent.stdout is not None
        pids = [int(pid) for pid in (await asyncio.to_thread(parent.stdout.readline)).split()]
        assert len(pids) == 2
        assert not any(is_gone(pid) for pid in pids)
    finally:
        parent.kill()
        parent.wait()
    await until(lambda: all(is_gone(pid) for pid in pids))


async def test_the_event_loop_goes_on_while_a_large_statement_is_checked() -> None:
    async with running(processes=1, time_limit_ms=20_000) as checker:
        started = time.process_time()
        await checker.check(LONG_STATEMENT)
        # What this process itself spent: sending, waiting and decoding, not parsing.
        assert time.process_time() - started < 0.1
