"""The event loop of a service process."""

import os
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

LOOKUP_THREADS_VARIABLE = "UV_THREADPOOL_SIZE"
LOOKUP_THREADS = 64
"""libuv's threads; it looks names up on half of them. With its own 4, two lookups of a Redis whose name server is
silent hold up those of the databases, and no session can be opened until they give up. Idle ones cost 3 MiB in all."""

ResultT = TypeVar("ResultT")


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a service's main coroutine on uvloop; cancels what is left when it returns."""
    # libuv reads it once, when it first needs a thread.
    os.environ.setdefault(LOOKUP_THREADS_VARIABLE, str(LOOKUP_THREADS))
    return uvloop.run(main)
