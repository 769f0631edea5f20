"""What Postgres says, asked past the services."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg


def rows(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of one statement."""

    async def ask() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    # In a thread of its own: the caller may be inside an event loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(ask())).result()


def one(url: str, statement: str, *values: object) -> Any:
    """The first value of the first row."""
    return rows(url, statement, *values)[0][0]
