"""Statements written as SQL, where its words say more than an expression would, with the types of what is bound."""

from typing import Any

from sqlalchemy import BigInteger, DateTime, Float, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from qg_store.models.base import RowId

BIGINT = BigInteger()
MOMENT = DateTime(timezone=True)
MOMENTS = ARRAY(MOMENT)
SECONDS = Float()
ROW_ID = RowId
ROW_IDS = ARRAY(RowId)


def statement(sql: str, **types: TypeEngine[Any]) -> TextClause:
    """`sql` with its binds of these types; one that is not named gets the type of its value."""
    return text(sql).bindparams(*(bindparam(name, type_=kind) for name, kind in types.items()))


async def bound_idle(session: AsyncSession, seconds: float) -> None:
    """Let Postgres end this transaction when nothing is heard of it for `seconds`, and with it what it has locked.

    For short transactions whose locks others need: a process that hangs, or was stopped, keeps its connection.
    """
    await session.execute(_BOUND_IDLE, {"timeout_ms": str(round(seconds * 1_000))})


_BOUND_IDLE = text("SELECT set_config('idle_in_transaction_session_timeout', :timeout_ms, true)")
