"""Everything but data planes is away, its names with it: data planes start again and serve, live endpoints, too.

On a network of its own a container asks for the name of one that is stopped for 10 s without an answer. Elsewhere tests
use addresses, so this is where it shows whether such a wait holds up the lookup of a database's name.
"""

import shlex
import subprocess
from collections.abc import Iterator
from functools import partial

import pytest

from tests.images.stack import Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

_AWAY = ("redis", "postgres", "control-plane", "worker")
_DATA_PLANES = ("data-plane-1", "data-plane-2")
_LIVE = ("orders/by-customer", "customers/by-country", "inventory/by-item", "items/categories")


@pytest.fixture
def alone(stack: Stack) -> Iterator[Stack]:
    """Data planes, nginx and the database; the others come back afterwards."""
    stack.compose("stop", "--timeout", "10", *_AWAY)
    try:
        yield stack
    finally:
        stack.compose("--profile", "standin", "up", "--detach", "--wait", "--wait-timeout", "240")


def _answered(line: str) -> bool:
    command = [*shlex.split(line), "-o", "/dev/null", "-w", "%{http_code}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout == "200"


def test_data_planes_start_and_serve_without_everybody_else(alone: Stack) -> None:
    alone.compose("restart", *_DATA_PLANES)
    first, *others = (alone.demo_line(path) for path in _LIVE)
    wait_until(partial(_answered, first), "a data plane has opened a session", timeout_s=45)
    for line in others:
        wait_until(partial(_answered, line), line.rpartition("/api")[2], timeout_s=15)
