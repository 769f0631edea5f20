"""The event loop of a service process."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

ResultT = TypeVar("ResultT")


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a service's main coroutine on uvloop; cancels what is left when it returns."""
    return uvloop.run(main)
