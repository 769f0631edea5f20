"""`make dev` as a newcomer meets it: the printed lines give rows, nothing is left when it was killed."""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.dev_stack import STOP_TIMEOUT_S, Stack, has_ended, running_stack
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a loopback URL of the stack
        return int(answer.status)


def paste(line: str) -> bytes:
    """What a printed line answers; where there is no curl, the same request is sent without it."""
    if shutil.which("curl"):
        return subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, timeout=30).stdout
    words = argparse.ArgumentParser()
    words.add_argument("-sS", action="store_true")
    words.add_argument("-H", action="append", default=[])
    words.add_argument("-u")
    words.add_argument("url")
    asked = words.parse_args(shlex.split(line)[1:])
    headers = dict(header.split(": ", 1) for header in asked.H)
    return httpx.get(asked.url, headers=headers, auth=tuple(asked.u.split(":", 1)) if asked.u else None).content


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests that leave it whole; the last of them stops it."""
    with running_stack(tmp_path_factory.mktemp("clone")) as started:
        yield started


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of this test alone."""
    with running_stack(tmp_path) as started:
        yield started


def test_every_printed_line_gives_rows(shared_stack: Stack) -> None:
    stack = shared_stack
    curls = [line for line in stack.lines if line.startswith("curl ")]
    assert len(curls) >= 6
    for line in curls:
        answer = json.loads(paste(line))
        assert answer["meta"]["row_count"] == len(answer["data"]) > 0, line
    assert any("Authorization: Bearer" in line for line in curls)
    assert any(" -u demo:" in line for line in curls)
    assert any("X-Api-Key" in line for line in curls)
    assert any(str(stack.record["admin_password"]) in line for line in stack.lines)

    commands = [" ".join(process.cmdline()) for process in stack.processes()]
    secrets = [stack.record["admin_password"], str(stack.record["postgres_url"]).split(":")[2].split("@")[0]]
    assert not [command for command in commands for secret in secrets if str(secret) in command]


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="the tour is written for bash and curl")
def test_the_tour_of_the_readme_works_as_written(shared_stack: Stack) -> None:
    tour = (ROOT / "README.md").read_text().split("## A five-minute tour")[1].split("\n## ")[0]
    blocks = re.findall(r"```bash\n(.*?)```", tour, re.DOTALL)
    assert len(blocks) >= 4
    clone = shared_stack.place.parent
    (clone / ".venv").symlink_to(Path(sys.executable).parent.parent, target_is_directory=True)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)], cwd=clone, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"ORDER_ID"') >= 2, "rows on both data planes before the rotation"
    assert "422" in done.stdout
    assert done.stdout.count("HTTP/1.1 401") == 2, "refused on both afterwards"


def test_ctrl_c_stops_everything_in_order(shared_stack: Stack) -> None:
    stack = shared_stack
    processes = stack.processes()
    stack.process.send_signal(signal.SIGINT)
    stack.wait_for_line("Everything is stopped", STOP_TIMEOUT_S)
    assert stack.process.wait(timeout=10) == 0
    assert all(has_ended(process) for process in processes)
    assert not (stack.place / "stack.json").exists()


@pytest.mark.fault
@pytest.mark.long  # starts a whole stack only to kill it
def test_a_death_is_reported_and_a_killed_stack_leaves_nothing(stack: Stack) -> None:
    second = stack.again("up")
    assert second.returncode == 1
    assert "running already" in second.stdout
    assert "make dev-down" in second.stdout

    urls = [*stack.record["data_plane_urls"], *stack.record["data_plane_ops_urls"]]  # type: ignore[misc]  # the record is JSON, lists here
    pids = stack.pids()
    for name in ("redis", "data_plane_2", "worker_1", "postgres", "control_plane"):
        children = psutil.Process(pids[name]).children(recursive=True)
        os.kill(pids[name], signal.SIGKILL)
        said = stack.wait_for_line(f"(pid {pids[name]}) was ended by SIGKILL", 10)
        assert said
        wait_until(lambda left=children: all(has_ended(child) for child in left), f"no child of {name} is left")  # type: ignore[misc]  # mypy: a default binds the value of this turn
    assert status_of(f"{urls[0]}/api/v1/data/items/categories") == 200, "the other data plane goes on"

    processes = [psutil.Process(pids[name]) for name in ("standin", "data_plane_1", "worker_2")]
    stack.process.kill()
    stack.process.wait()
    down = stack.again("down")
    assert down.returncode == 0, down.stdout
    wait_until(lambda: all(has_ended(process) for process in processes), "every service ended")
    assert stack.again("down").stdout.endswith("Nothing is running here.\n")
