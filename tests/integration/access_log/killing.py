"""Killing a node's access log in the middle of its work."""

import os
import subprocess
import sys
from pathlib import Path


def killed_after(state_dir: Path, redis_url: str, answers: int) -> int:
    """Start a process, kill it once it has given so many answers; how many it gave."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.access_log.killed_process", str(state_dir), redis_url],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    given = 0
    try:
        while given < answers:
            received = os.read(process.stdout.fileno(), 65_536)
            assert received, "it ended by itself"
            given += len(received)
        process.kill()
        process.wait(10)
        while received := os.read(process.stdout.fileno(), 65_536):
            given += len(received)
        return given
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
