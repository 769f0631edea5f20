"""One transaction: the rows of some batches, how far their logs are stored, when credentials were used, dead letters.

All or nothing: what nodes are told is stored is what this committed.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.engine import SessionFactory
from qg_store.repositories import access_dead_letters, credential_uses
from qg_store.repositories.access_dead_letters import DeadLetter
from qg_store.repositories.statements import bound_idle
from worker.access_log import dead_letters, sources
from worker.access_log.checking import CheckedBatch, CheckedEvent
from worker.access_log.inserting import add_all
from worker.access_log.progress import Progress, advance, found_again
from worker.access_log.spans import holds

IDLE_MAX_S = 5.0


class LostEvents(msgspec.Struct, frozen=True):
    """Events of one log that were given up just now."""

    log_id: str
    node: str
    lost: int


class Stored(msgspec.Struct, frozen=True):
    """What one transaction did: `new` rows, `known` events that were settled before, and what could not be stored.

    `watermarks` is log id -> up to which number everything is settled.
    """

    new: int
    known: int
    refused: list[DeadLetter]
    lost: list[LostEvents]
    watermarks: dict[str, int]


class _Rows(msgspec.Struct):
    """What became of the events of one log. `late` were given up before and are stored after all."""

    new: int
    late: int
    refused: list[DeadLetter]


async def store(
    sessions: SessionFactory, batches: Sequence[CheckedBatch], dead: Sequence[DeadLetter], now: datetime
) -> Stored:
    """Store `batches`, and `dead` besides theirs. Raises what SQLAlchemy raises; then nothing is stored."""
    async with sessions() as session:
        stored = await _store(session, batches, dead, now)
        await session.commit()
    return stored


async def _store(
    session: AsyncSession, batches: Sequence[CheckedBatch], dead: Sequence[DeadLetter], now: datetime
) -> Stored:
    # A worker that stands still in the middle must not hold the logs' locks for long: others have batches of them.
    await bound_idle(session, IDLE_MAX_S)
    nodes = {batch.log_id: batch.node for batch in batches}
    known = await sources.lock(session, nodes) if nodes else {}
    refused = [*dead, *(letter for batch in batches for letter in batch.dead)]
    progress: dict[str, Progress] = {}
    lost: list[LostEvents] = []
    new = 0
    for log_id, before in sorted(known.items()):
        of_log = [batch for batch in batches if batch.log_id == log_id]
        rows = await _add(session, log_id, of_log, before)
        after = advance(before, of_log)
        if after.lost > before.lost:
            lost.append(LostEvents(log_id, nodes[log_id], after.lost - before.lost))
        progress[log_id] = found_again(after, rows.late)
        new += rows.new
        refused += rows.refused
    await sources.save(session, nodes, progress)
    await credential_uses.note(session, _uses(batches, now))
    if refused:
        await access_dead_letters.add(session, refused)
        await access_dead_letters.trim(session, dead_letters.ROWS_MAX)
    return Stored(
        new=new,
        known=sum(len(batch.events) for batch in batches) - new,
        refused=refused,
        lost=lost,
        watermarks={log_id: after.persisted for log_id, after in progress.items()},
    )


async def _add(session: AsyncSession, log_id: str, batches: Sequence[CheckedBatch], before: Progress) -> _Rows:
    events = {event.sequence: event for batch in batches for event in batch.events}
    fresh: list[CheckedEvent] = []
    again: list[CheckedEvent] = []
    for sequence, event in events.items():
        (again if holds(before.settled, sequence) else fresh).append(event)
    new, refused = await add_all(session, log_id, fresh)
    if not before.lost:
        return _Rows(new, 0, refused)
    # What is settled is there, or died. But what was given up may come after all, in a batch that was overtaken.
    late, refused_late = await add_all(session, log_id, again)
    return _Rows(new + late, late, refused + refused_late)


def _uses(batches: Sequence[CheckedBatch], now: datetime) -> dict[str, datetime]:
    """When each credential was used last; a node whose clock is ahead does not make it later than now."""
    uses: dict[str, datetime] = {}
    for row in (event.row for batch in batches for event in batch.events):
        if row.credential_id is not None:
            at = min(row.at, now)
            uses[row.credential_id] = max(at, uses.get(row.credential_id, at))
    return uses
