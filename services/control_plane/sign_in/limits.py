"""Limits on failed sign-ins: only failures count, and only against the address they came from.

Counted in Postgres, which every sign-in needs anyway: the limits hold across control planes and restarts, and there is
no other store whose absence would open or shut the door. Attempts from one address take turns in a process, so a burst
can't get past the count before it is written.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec

from qg_core.errors import SignInBusy, SignInLimited
from qg_store.engine import SessionFactory
from qg_store.repositories import sign_in_failures

WAITING_PER_NETWORK_MAX = 8
"""Attempts from one network that may wait for their turn; each turn costs a bcrypt."""


class FailureLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many failures one network may have within the window."""

    per_user_max: int = 10
    per_network_max: int = 50
    window_s: int = 300


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted = 0


class FailureLedger:
    """Asks before an attempt, notes after it."""

    def __init__(self, sessions: SessionFactory, limits: FailureLimits) -> None:
        self._sessions = sessions
        self._limits = limits
        self._window = timedelta(seconds=limits.window_s)
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def turn(self, network: str) -> AsyncIterator[None]:
        """One attempt of a network at a time. Raises `SignInBusy` when too many wait."""
        turn = self._turns.setdefault(network, _Turn())
        if turn.wanted > WAITING_PER_NETWORK_MAX:
            raise SignInBusy(retry_after_s=1)
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if turn.wanted == 0:
                self._turns.pop(network, None)

    async def check(self, network: str, username: str) -> None:
        """Raise `SignInLimited` when the network has failed too often, alone or for this user."""
        async with self._sessions() as session:
            counts = await sign_in_failures.count(session, network, digest_of_username(username), self._window)
        waits = []
        if counts.of_user >= self._limits.per_user_max:
            waits.append(counts.user_clears_s)
        if counts.of_address >= self._limits.per_network_max:
            waits.append(counts.address_clears_s)
        if waits:
            raise SignInLimited(retry_after_s=math.ceil(max(waits)))

    async def note_failure(self, network: str, username: str) -> None:
        """Count one more."""
        async with self._sessions.begin() as session:
            await sign_in_failures.note(session, network, digest_of_username(username))
            await sign_in_failures.prune(session, self._window)

    async def note_success(self, network: str, username: str) -> None:
        """Whoever knows the password was only mistaken before."""
        async with self._sessions.begin() as session:
            await sign_in_failures.forget(session, network, digest_of_username(username))


def digest_of_username(username: str) -> str:
    """What is stored of a name that was tried."""
    return hashlib.sha256(username.encode()).hexdigest()
