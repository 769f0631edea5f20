"""The environment variables that services share: identity, keys, listeners, shutdown, logs, environment."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from qg_core.environment import SettingsInvalid, Variable, boolean, integer, listed, one_of, read_settings
from qg_core.gateway_settings import LOG_LEVELS
from qg_core.web_origins import web_origin

_GATEWAY_ID = re.compile(r"[a-z0-9-]{3,64}").fullmatch
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch


class ProcessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings of every service begin with. Units are in the names."""

    gateway_id: str
    redis_url: str
    ops_host: str
    ops_port: int
    shutdown_grace_s: int
    log_level: str
    traces: str
    app_env: str
    debug: bool

    def __repr__(self) -> str:
        return f"{type(self).__name__}(gateway_id={self.gateway_id!r}, ...)"


class ServiceSettings(ProcessSettings, frozen=True, kw_only=True):
    """The same of a service that listens for others than operators."""

    host: str
    port: int


SettingsT = TypeVar("SettingsT", bound=ProcessSettings)


def gateway_id(value: str) -> str:
    """The gateway's name."""
    if not _GATEWAY_ID(value):
        raise ValueError("must be 3 to 64 of a-z, 0-9 and -")
    return value


def process_name(value: str) -> str | None:
    """The name of one process in reports, logs and Redis; null when it is left to the process."""
    if value and not _NAME(value):
        raise ValueError("must be 1 to 64 letters, digits, dots, dashes or underscores")
    return value or None


def checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """A parser of a secret text that is kept as it is; `check` raises `ValueError`, never with the text in it."""

    def parse(value: str) -> str:
        check(value)
        return value

    return parse


def keys(check: Callable[[Sequence[str]], object]) -> Callable[[str], tuple[str, ...]]:
    """A parser of comma separated keys; `check` raises `ValueError`, never with a key in it."""

    def parse(value: str) -> tuple[str, ...]:
        found = listed(value)
        check(found)
        return found

    return parse


def redis_url(value: str) -> str:
    """A URL of Redis; it may hold a password, so it is not repeated when it is wrong."""
    if urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must be a redis://, rediss:// or unix:// URL")
    return value


def origins(value: str) -> tuple[str, ...]:
    """Comma separated web origins, never `*`."""
    return tuple(web_origin(origin) for origin in listed(value))


def address(value: str) -> str:
    """An IP address to listen on, or `localhost`."""
    if value != "localhost":
        ipaddress.ip_address(value)
    return value


def listener_variables(*, port: int, port_for: str) -> tuple[Variable, ...]:
    """Where a service listens for others than operators; `port_for` says for whom."""
    return (
        Variable(name="HOST", field="host", parse=address, default="127.0.0.1", description="Address to listen on."),
        Variable(name="PORT", field="port", parse=integer(1, 65_535), default=str(port), description=port_for),
    )


def process_variables(*, ops_port: int, grace_for: str = "running requests") -> tuple[Variable, ...]:
    """Ops routes, shutdown, logs and environment; `grace_for` says what SIGTERM waits for."""
    return (
        Variable(
            name="OPS_HOST",
            field="ops_host",
            parse=address,
            default="127.0.0.1",
            description="Address of the ops routes.",
        ),
        Variable(
            name="OPS_PORT",
            field="ops_port",
            parse=integer(1, 65_535),
            default=str(ops_port),
            description="Port of the ops routes: /-/live, /-/ready, /-/metrics.",
        ),
        Variable(
            name="SHUTDOWN_GRACE_SECONDS",
            field="shutdown_grace_s",
            parse=integer(0, 3_600),
            default="30",
            description=f"Seconds that {grace_for} get after SIGTERM.",
        ),
        Variable(
            name="LOG_LEVEL",
            field="log_level",
            parse=one_of(*LOG_LEVELS),
            default="INFO",
            description="The least severe level that is logged; request lines are INFO.",
        ),
        Variable(
            name="TRACES",
            field="traces",
            parse=one_of("off", "otlp"),
            default="off",
            description="`otlp`: traces to an OpenTelemetry collector, which needs the extra `otel` (docs/traces.md).",
        ),
        Variable(
            name="APP_ENV",
            field="app_env",
            parse=one_of("production", "development", "test"),
            default="production",
            description="Where this runs.",
        ),
        Variable(
            name="DEBUG",
            field="debug",
            parse=boolean,
            default="false",
            description="More detail in logs; refused together with APP_ENV=production.",
        ),
    )


def read_service_settings(
    settings_type: type[SettingsT], variables: tuple[Variable, ...], environ: Mapping[str, str]
) -> tuple[SettingsT | None, list[str]]:
    """The settings, None when they can't be built, and every problem, those of variables together included."""
    problems: list[str] = []
    settings: SettingsT | None = None
    try:
        settings = read_settings(settings_type, variables, environ, lambda name: Path(name).read_text(encoding="utf-8"))
    except SettingsInvalid as error:
        problems.extend(error.problems)
    problems.extend(_contradictions(variables, environ))
    return settings, problems


def _contradictions(variables: tuple[Variable, ...], environ: Mapping[str, str]) -> list[str]:
    """Read from the text, so that they are reported beside everything else."""
    defaults = {variable.name: variable.default or "" for variable in variables}

    def given(name: str) -> str:
        return environ.get(name, defaults[name]).strip().lower()

    found = []
    if given("DEBUG") in {"true", "1", "yes"} and given("APP_ENV") == "production":
        found.append("DEBUG: true is refused with APP_ENV=production")
    if "PORT" in defaults and given("PORT") == given("OPS_PORT"):
        found.append("OPS_PORT: must not be the same as PORT")
    return found
