"""The settings that admins can store, beside the environment: keys, ranges, what they mean, when they act.

A stored value wins over the environment of every service. Stored values are published as one `SettingsSpec`: data
planes take it with the revision, workers and control planes read it from Postgres.
"""

from collections.abc import Callable, Mapping

import msgspec

from qg_core.specs import SPEC_FORMAT, SettingsSpec
from qg_core.web_origins import web_origin

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
CORS_ORIGINS_MAX = 100
_SHOWN_LENGTH_MAX = 60
_SHOWN_NUMBER_END = 10**20

SettingValue = str | int | tuple[str, ...]


class GatewaySetting(msgspec.Struct, frozen=True, kw_only=True):
    """One known key. `read` takes what JSON held and raises `ValueError` with a sentence.

    `default` is what every service assumes when neither a value is stored nor its `variable` is set.
    """

    key: str
    variable: str
    default: SettingValue
    read: Callable[[object], SettingValue]
    description: str
    needs_restart: bool = False


def _level(value: object) -> str:
    if not isinstance(value, str) or value not in LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}, not {_shown(value)}")
    return value


def _origins(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"must be an array of origins, not {_shown(value)}")
    if len(value) > CORS_ORIGINS_MAX:
        raise ValueError(f"must be at most {CORS_ORIGINS_MAX} origins, not {len(value)}")
    return tuple(dict.fromkeys(web_origin(item) for item in value))


def _whole(minimum: int, maximum: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}, not {_shown(value)}")
        return value

    return read


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value[:_SHOWN_LENGTH_MAX])
    # A number may have so many digits that Python refuses to write them.
    return str(value) if isinstance(value, int) and abs(value) < _SHOWN_NUMBER_END else "that"


def written(value: SettingValue) -> str:
    """A value as one line of text; a list with commas between."""
    return ",".join(value) if isinstance(value, tuple) else str(value)


GATEWAY_SETTINGS: Mapping[str, GatewaySetting] = {
    setting.key: setting
    for setting in (
        GatewaySetting(
            key="log_level",
            variable="LOG_LEVEL",
            default="INFO",
            read=_level,
            description="The least severe level that every service logs; request lines are INFO.",
        ),
        GatewaySetting(
            key="query_timeout_seconds",
            variable="QUERY_TIMEOUT_MAX_MS",
            default=300,
            read=_whole(1, 300),
            description="Upper bound in seconds of every endpoint's time limit, and of a snapshot's statement.",
        ),
        GatewaySetting(
            key="cors_origins",
            variable="CORS_ORIGINS",
            default=(),
            read=_origins,
            description="Origins whose pages may call the gateway, admin side and data side alike; never `*`.",
        ),
        GatewaySetting(
            key="snapshot_retention_count",
            variable="SNAPSHOT_RETENTION_COUNT",
            default=5,
            read=_whole(1, 100),
            description="Snapshots kept per endpoint; older ones are removed after each run.",
        ),
        GatewaySetting(
            key="max_job_concurrency",
            variable="MAX_JOB_CONCURRENCY",
            default=4,
            read=_whole(1, 10),
            description="Job runs that may be live at once in the whole worker fleet.",
        ),
        GatewaySetting(
            key="access_log_retention_days",
            variable="ACCESS_LOG_RETENTION_DAYS",
            default=90,
            read=_whole(1, 3_650),
            description="Days that rows of the access log are kept.",
        ),
    )
}

RESTART_KEYS: tuple[str, ...] = tuple(setting.key for setting in GATEWAY_SETTINGS.values() if setting.needs_restart)
"""Keys whose stored value only acts after a restart; none does today."""


def settings_spec(values: Mapping[str, object]) -> SettingsSpec:
    """The spec of stored values; keys that this release does not know are left out.

    Raises `ValueError` that names the first key whose value is out of its range.
    """
    found: dict[str, SettingValue | None] = dict.fromkeys(GATEWAY_SETTINGS)
    for key in values.keys() & GATEWAY_SETTINGS.keys():
        try:
            found[key] = GATEWAY_SETTINGS[key].read(values[key])
        except ValueError as error:
            raise ValueError(f"{key} {error}") from None
    return msgspec.convert({"format": SPEC_FORMAT, **found, "kind": SettingsSpec.kind_.value}, SettingsSpec)


def stored_lines(spec: SettingsSpec | None) -> tuple[str, ...]:
    """What is stored, for the log: `key=value`, lists with commas between."""
    if spec is None:
        return ()
    return tuple(f"{key}={written(value)}" for key, value in stored_values(spec).items())


def stored_values(spec: SettingsSpec) -> dict[str, SettingValue]:
    """What a spec has stored, by key, checked again: `settings_spec` turned round. Raises `ValueError`."""
    values = {key: getattr(spec, key) for key in GATEWAY_SETTINGS}
    return {key: GATEWAY_SETTINGS[key].read(value) for key, value in values.items() if value is not None}
