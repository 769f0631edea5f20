"""Adding rows so that one that Postgres refuses does not take the others along."""

import json

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.availability import sqlstate_of
from qg_store.repositories import access_log
from qg_store.repositories.access_dead_letters import DeadLetter
from worker.access_log.checking import CheckedEvent
from worker.supervised import first_line

_VALUE_STATES = ("22", "23", "54")
"""Classes of SQLSTATE: data exception, integrity constraint violation, program limit exceeded."""


def refuses_values(error: BaseException) -> bool:
    """Whether Postgres, or its driver, refused what was sent; another try would end the same."""
    if not isinstance(error, DBAPIError):
        return False
    state = sqlstate_of(error)
    return state is not None and state[:2] in _VALUE_STATES


async def add_all(session: AsyncSession, log_id: str, events: list[CheckedEvent]) -> tuple[int, list[DeadLetter]]:
    """Add what Postgres takes; how many rows were new, and what it did not take.

    A statement that is refused is taken back to its savepoint and split by halves, until the bad row is alone. Raises
    what SQLAlchemy raises when Postgres is away, or refuses for another reason than the values.
    """
    added = 0
    refused: list[DeadLetter] = []
    left = [events] if events else []
    tries = 0
    while left:
        some = left.pop()
        try:
            async with session.begin_nested():
                added += await access_log.add(session, [event.row for event in some])
        except DBAPIError as error:
            if not refuses_values(error):
                raise
            if len(some) > 1:
                left += [some[len(some) // 2 :], some[: len(some) // 2]]
            elif tries == 0:
                # Once more: a partition that was attached this moment refuses a row that was meant for the default one.
                tries = 1
                left.append(some)
                continue
            else:
                refused.append(_dead_letter(log_id, some[0], error))
        tries = 0
    return added, refused


def _dead_letter(log_id: str, event: CheckedEvent, error: DBAPIError) -> DeadLetter:
    # The second line of a constraint's error repeats the row.
    detail = first_line(error.orig or error)
    # The standard library's: it escapes what can't be encoded, and that may be the very reason.
    body = json.dumps(msgspec.to_builtins(event.row)).encode()
    return DeadLetter(log_id, "refused_by_postgres", f"number {event.sequence}: {detail}", body)
