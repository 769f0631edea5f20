"""What of the access stream could not be stored, for an operator to look at; cut, and capped in number."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import AccessDeadLetter
from qg_store.models.access_log import DEAD_LETTER_BYTES_MAX, DEAD_LETTER_DETAIL_CHARS_MAX, LOG_ID_CHARS_MAX

REASON_CHARS_MAX = 64


class DeadLetter(msgspec.Struct, frozen=True):
    """A batch or event that can't be stored; what is too long is cut when it is added."""

    log_id: str | None
    reason: str
    detail: str
    body: bytes


async def add(session: AsyncSession, letters: Sequence[DeadLetter]) -> None:
    """Keep these."""
    rows = [
        {
            "log_id": _storable(letter.log_id, LOG_ID_CHARS_MAX) if letter.log_id is not None else None,
            "reason": _storable(letter.reason, REASON_CHARS_MAX),
            "detail": _storable(letter.detail, DEAD_LETTER_DETAIL_CHARS_MAX),
            "body": letter.body[:DEAD_LETTER_BYTES_MAX],
        }
        for letter in letters
    ]
    if rows:
        await session.execute(insert(AccessDeadLetter), rows)


async def trim(session: AsyncSession, rows_max: int) -> int:
    """Remove the oldest beyond `rows_max`; how many."""
    beyond = select(AccessDeadLetter.id).order_by(AccessDeadLetter.id.desc()).offset(rows_max).limit(1)
    newest_beyond = await session.scalar(beyond)
    if newest_beyond is None:
        return 0
    rows = await session.execute(
        delete(AccessDeadLetter).where(AccessDeadLetter.id <= newest_beyond).returning(AccessDeadLetter.id),
        execution_options={"synchronize_session": False},
    )
    return len(rows.all())


async def prune(session: AsyncSession, days: int) -> int:
    """Remove those older than `days`; how many."""
    rows = await session.execute(
        delete(AccessDeadLetter)
        .where(AccessDeadLetter.at < func.now() - timedelta(days=days))
        .returning(AccessDeadLetter.id),
        execution_options={"synchronize_session": False},
    )
    return len(rows.all())


def _storable(text: str, chars_max: int) -> str:
    """No NUL and no lone surrogate, which Postgres can't store."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:chars_max]
