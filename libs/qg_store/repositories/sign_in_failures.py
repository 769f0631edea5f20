"""Failed sign-ins within a window, counted per address and per (user, address)."""

from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import SignInFailure


class FailureCounts(msgspec.Struct, frozen=True):
    """Failures of one address within the window: all, and those for one user; seconds until the oldest leaves it."""

    of_address: int
    of_user: int
    address_clears_s: float
    user_clears_s: float


async def count(session: AsyncSession, address: str, username_digest: str, window: timedelta) -> FailureCounts:
    """What `address` failed at within `window`, by Postgres' clock."""
    of_user = SignInFailure.username_digest == username_digest
    left = func.extract("epoch", func.min(SignInFailure.at) + window - func.now())
    left_of_user = func.extract("epoch", func.min(SignInFailure.at).filter(of_user) + window - func.now())
    statement = select(func.count(), func.count().filter(of_user), left, left_of_user).where(
        SignInFailure.address == address, SignInFailure.at >= func.now() - window
    )
    row = (await session.execute(statement)).one()
    return FailureCounts(row[0], row[1], float(row[2] or 0), float(row[3] or 0))


async def note(session: AsyncSession, address: str, username_digest: str) -> None:
    """One more failure."""
    session.add(SignInFailure(address=address, username_digest=username_digest))
    await session.flush()


async def forget(session: AsyncSession, address: str, username_digest: str) -> None:
    """The right password came: the failures of this user from this address count no more."""
    await session.execute(
        delete(SignInFailure).where(SignInFailure.address == address, SignInFailure.username_digest == username_digest)
    )


async def prune(session: AsyncSession, window: timedelta) -> None:
    """Drop what no limit counts any more."""
    await session.execute(delete(SignInFailure).where(SignInFailure.at < func.now() - window))
