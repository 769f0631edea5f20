"""Stored settings acting in this control plane: after its own writes at once, after another's within some seconds."""

import asyncio

from sqlalchemy.exc import SQLAlchemyError

from control_plane.edge.headers import ResponseHeaders
from qg_bundle.link import end_tasks
from qg_core.gateway_settings import settings_spec, stored_lines
from qg_core.specs import SettingsSpec
from qg_store.engine import SessionFactory
from qg_store.repositories import settings
from qg_telemetry.events import Level, Observe, SettingsApplied, UnforeseenError
from qg_telemetry.log import Log

LOOK_EVERY_S = 1.0
LOOK_TIMEOUT_S = 10.0


class AppliedSettings:
    """`await look()` before serving, then `start()`; `await close()` at the end.

    The log level of `log` (null: nothing to set) and `cors_origins` are those of the environment.
    """

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        headers: ResponseHeaders,
        cors_origins: tuple[str, ...],
        log: Log | None,
        observe: Observe,
    ) -> None:
        self._sessions = sessions
        self._headers = headers
        self._log = log
        self._observe = observe
        self._own_origins = cors_origins
        self._own_level = log.level if log is not None else Level.INFO
        self._applied: SettingsSpec | None = None
        self._refused = ""
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow what other control planes store."""
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Stop following."""
        await end_tasks(self._task)

    async def look(self) -> None:
        """Let what is stored act. Never raises: while Postgres is away, what was applied last holds."""
        # One at a time: what was read first must not be applied last.
        async with self._lock:
            try:
                async with asyncio.timeout(LOOK_TIMEOUT_S), self._sessions() as session:
                    values = {row.key: row.value for row in await settings.every(session)}
            except (SQLAlchemyError, OSError, TimeoutError):
                return
            try:
                spec = settings_spec(values)
            except ValueError as error:
                # Nothing that the API lets in: somebody wrote to the table by hand.
                self._refuse(error)
                return
            self._refused = ""
            self._apply(spec)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - a loop that ends would leave this process behind for good
                self._refuse(error)

    def _apply(self, spec: SettingsSpec) -> None:
        lines = stored_lines(spec)
        if spec == self._applied or (self._applied is None and not lines):
            return
        self._applied = spec
        self._headers.let_in(self._own_origins if spec.cors_origins is None else spec.cors_origins)
        if self._log is not None:
            self._log.level = self._own_level if spec.log_level is None else Level[spec.log_level]
        self._observe(SettingsApplied(stored=lines))

    def _refuse(self, error: Exception) -> None:
        """Once for each reason: the loop turns every second."""
        if self._refused != str(error):
            self._refused = str(error)
            self._observe(UnforeseenError.of("stored settings", error))
