"""What Postgres says, asked past the services."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import asyncpg


def rows(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of one statement."""
    found: list[Sequence[Any]] = []

    async def ask() -> None:
        connection = await asyncpg.connect(url)
        try:
            found.extend(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    # In a thread of its own: the caller may be inside an event loop.
    thread = threading.Thread(target=lambda: asyncio.run(ask()))
    thread.start()
    thread.join()
    return [tuple(row) for row in found]


def one(url: str, statement: str, *values: object) -> Any:
    """The first value of the first row."""
    return rows(url, statement, *values)[0][0]
