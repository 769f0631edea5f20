"""Whether Postgres is there and fit for this worker; looked at once a second, together with the stored settings."""

import asyncio
import time

from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.engine import SessionFactory
from qg_store.migrations.roles import WORKER
from qg_store.repositories import gateway
from qg_store.schema_version import database_problem
from qg_telemetry.events import Observe
from worker.stored_settings import StoredSettings
from worker.supervised import StepFailed, Supervised

LOOK_EVERY_S = 1.0
LOOK_TIMEOUT_S = 5.0
AWAY_MAX_S = 5.0
"""Away for longer: the worker is not ready."""


class DatabaseWatch:
    """`fit` is set once the database was found to be this gateway's and of this release; nothing begins before."""

    def __init__(
        self, sessions: SessionFactory, gateway_id: str, stored_settings: StoredSettings, observe: Observe
    ) -> None:
        self._sessions = sessions
        self._gateway_id = gateway_id
        self._stored_settings = stored_settings
        self._seen_at: float | None = None
        self.fit = asyncio.Event()
        self._loop = Supervised("database", self._look, every_s=LOOK_EVERY_S, timeout_s=LOOK_TIMEOUT_S, observe=observe)

    @property
    def present(self) -> bool:
        """Whether Postgres has answered within the last `AWAY_MAX_S`, and is fit."""
        return self._seen_at is not None and time.monotonic() - self._seen_at <= AWAY_MAX_S

    def start(self) -> None:
        self._loop.start()

    async def close(self) -> None:
        await self._loop.close()

    async def _look(self) -> None:
        async with self._sessions() as session:
            if not self.fit.is_set():
                await self._check(session)
            await self._stored_settings.look(session)
        self._seen_at = time.monotonic()
        self.fit.set()

    async def _check(self, session: AsyncSession) -> None:
        if problem := await database_problem(session, WORKER):
            raise StepFailed(problem)
        owner = await gateway.owner(session)
        if owner is None:
            raise StepFailed("no control plane has begun on this database yet")
        if owner != self._gateway_id:
            raise StepFailed(f"GATEWAY_ID is {self._gateway_id!r}, but this database belongs to gateway {owner!r}")
