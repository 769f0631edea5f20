"""Looking at Postgres and Redis, bounded in time, and remembering the answer for a moment."""

import asyncio
import contextlib
import time

import msgspec
from redis.asyncio import Redis

from control_plane.publishing.activator import Activator
from qg_bundle.link import LINK_ERRORS
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger
from qg_store.repositories.publishing import Heads

LOOK_TIMEOUT_S = 2.0
REMEMBERED_S = 0.5
"""The route needs no sign-in: whoever asks often gets the last answer."""

WATCH_EVERY_S = 2.0

OK = "ok"
AWAY = "unavailable"


class Health(msgspec.Struct, frozen=True):
    """`database` decides; without Redis nodes serve what they have, and changes wait."""

    database: str
    redis: str
    publishing: str
    head: int = 0
    """The newest revision, as of the last look at Postgres that succeeded."""
    activated: int = 0

    @property
    def ready(self) -> bool:
        return self.database == OK

    @property
    def checks(self) -> dict[str, str]:
        return {"database": self.database, "redis": self.redis, "publishing": self.publishing}


class HealthWatch:
    """`look()` for the route, `last` for the ops port, which may not wait."""

    def __init__(self, sessions: SessionFactory, redis: Redis, activator: Activator) -> None:
        self._sessions = sessions
        self._redis = redis
        self._activator = activator
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self.last = Health(AWAY, AWAY, "starting")

    def start(self) -> None:
        """Keep `last` fresh."""
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> Health:
        """How things are now, at most `REMEMBERED_S` ago."""
        async with self._lock:
            if time.monotonic() - self._looked_at > REMEMBERED_S:
                heads, redis = await asyncio.gather(self._heads(), self._redis_answers())
                publishing = "retrying" if self._activator.last_errors else OK
                if heads is None:
                    self.last = Health(AWAY, redis, publishing, self.last.head, self.last.activated)
                else:
                    self.last = Health(OK, redis, publishing, heads.head, heads.activated)
                self._looked_at = time.monotonic()
            return self.last

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(WATCH_EVERY_S)

    async def _heads(self) -> Heads | None:
        """Where publishing stands, null when Postgres doesn't tell in time."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S), self._sessions() as session:
                return await ledger.heads(session)
        except Exception:  # noqa: BLE001 - whatever it is: nothing can be saved now, and the watch must go on
            return None

    async def _redis_answers(self) -> str:
        with contextlib.suppress(*LINK_ERRORS):
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await self._redis.ping()
            return OK
        return AWAY
