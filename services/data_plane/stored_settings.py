"""What admins stored, applied when a catalog is swapped in: nothing of it is looked up per request."""

from data_plane.catalogs.catalog import Catalog
from data_plane.pipeline import Pipeline
from data_plane.requests.live import Live
from data_plane.requests.response_headers import ResponseHeaders
from qg_core.gateway_settings import stored_lines
from qg_core.specs import SettingsSpec
from qg_telemetry.events import Level, Observe, SettingsApplied
from qg_telemetry.log import Log


class StoredSettings:
    """`apply(catalog)` at each swap. A stored value wins over the environment; one that is removed gives way to it."""

    def __init__(
        self,
        *,
        log: Log,
        headers: ResponseHeaders,
        pipeline: Pipeline,
        live: Live,
        cors_origins: tuple[str, ...],
        observe: Observe,
    ) -> None:
        """The log level, the time limit and `cors_origins` as they are now are the environment's."""
        self._log = log
        self._headers = headers
        self._pipeline = pipeline
        self._live = live
        self._observe = observe
        self._own_level = log.level
        self._own_query_timeout_s = live.query_timeout_max_s
        self._own_origins = cors_origins
        self._applied: SettingsSpec | None = None

    def apply(self, catalog: Catalog) -> None:
        """Let the catalog's settings act from now on; returns at once."""
        spec = catalog.settings
        if spec == self._applied:
            return
        self._applied = spec
        level = spec.log_level if spec is not None else None
        query_timeout_s = spec.query_timeout_seconds if spec is not None else None
        origins = spec.cors_origins if spec is not None else None
        self._live.query_timeout_max_s = self._own_query_timeout_s if query_timeout_s is None else query_timeout_s
        self._headers.let_in(self._own_origins if origins is None else origins)
        self._pipeline.cors = self._headers.cors
        self._log.level = self._own_level if level is None else Level[level]
        self._observe(SettingsApplied(stored=stored_lines(spec)))
