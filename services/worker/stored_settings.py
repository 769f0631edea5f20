"""The settings that admins stored, over those of the environment: read from what is published, applied live."""

from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.gateway_settings import settings_spec, stored_lines, stored_values
from qg_core.revisions import SubjectKey
from qg_core.specs import SETTINGS_ID, SettingsSpec, SpecKind, SpecUnreadable, decode_spec
from qg_store.repositories import publishing
from qg_telemetry.events import Level, Observe, SettingsApplied
from qg_telemetry.log import Log
from worker.settings import Settings
from worker.supervised import StepFailed

_KEY = SubjectKey(SpecKind.SETTINGS.value, SETTINGS_ID)
_NOTHING_STORED = settings_spec({})


class StoredSettings:
    """What holds now. While Postgres is away: what held last. The level of `log` as it is now is the environment's."""

    def __init__(self, settings: Settings, log: Log, observe: Observe) -> None:
        self._settings = settings
        self._log = log
        self._own_level = log.level
        self._observe = observe
        self._stored = _NOTHING_STORED
        self._digest: str | None = None

    @property
    def max_job_concurrency(self) -> int:
        """Live runs of all workers together."""
        return _either(self._stored.max_job_concurrency, self._settings.max_job_concurrency)

    @property
    def snapshot_retention_count(self) -> int:
        """Snapshots kept per endpoint."""
        return _either(self._stored.snapshot_retention_count, self._settings.snapshot_retention_count)

    @property
    def access_log_retention_days(self) -> int:
        """Days that rows of the access log are kept."""
        return _either(self._stored.access_log_retention_days, self._settings.access_log_retention_days)

    @property
    def query_timeout_max_ms(self) -> int:
        """Upper bound of every run's statement."""
        stored_s = self._stored.query_timeout_seconds
        return self._settings.query_timeout_max_ms if stored_s is None else stored_s * 1_000

    async def look(self, session: AsyncSession) -> None:
        """Read what is published and apply it if it is new.

        Raises `StepFailed` on a spec that this release can't read, and what SQLAlchemy raises.
        """
        row = (await publishing.published(session, [_KEY])).get(_KEY)
        digest = row.digest if row is not None else None
        if digest == self._digest:
            return
        self._stored = _NOTHING_STORED if row is None else _decoded(row.body)
        self._digest = digest
        level = self._stored.log_level
        self._log.level = self._own_level if level is None else Level[level]
        self._observe(SettingsApplied(stored=stored_lines(self._stored)))


def _decoded(body: bytes) -> SettingsSpec:
    try:
        spec = decode_spec(body)
        if not isinstance(spec, SettingsSpec):
            raise SpecUnreadable("it is a spec of another kind")
        stored_values(spec)
    except ValueError as error:
        raise StepFailed(f"the stored settings can't be used: {error}") from None
    return spec


def _either(stored: int | None, otherwise: int) -> int:
    return stored if stored is not None else otherwise
