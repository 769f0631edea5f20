"""Names that nobody answers for must not hold up the lookups of others."""

import os
import subprocess
import sys

import pytest

_THREADS_AFTER_A_LOOKUP = """
import asyncio, os
from qg_serving.runner import run

async def main():
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    print(len(os.listdir("/proc/self/task")))

run(main())
"""


@pytest.mark.parametrize(("given", "at_least", "at_most"), [({}, 64, 80), ({"UV_THREADPOOL_SIZE": "6"}, 6, 20)])
def test_a_service_has_enough_threads_for_lookups(given: dict[str, str], at_least: int, at_most: int) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "UV_THREADPOOL_SIZE"} | given
    ended = subprocess.run(
        [sys.executable, "-c", _THREADS_AFTER_A_LOOKUP], env=environ, stdout=subprocess.PIPE, check=True, timeout=30
    )
    assert at_least <= int(ended.stdout) <= at_most
