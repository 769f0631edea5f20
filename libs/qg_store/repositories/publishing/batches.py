"""Lists cut to what one statement takes."""

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

ROWS_PER_STATEMENT = 1_000

ItemT = TypeVar("ItemT")


def batches(items: Iterable[ItemT], size: int = ROWS_PER_STATEMENT) -> Iterable[list[ItemT]]:
    """The items in their order, at most `size` at a time."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
