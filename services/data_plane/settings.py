"""The data plane's settings: read once from the environment, every problem reported together."""

from collections.abc import Mapping
from pathlib import Path

from qg_core.client_address import Network, parse_networks
from qg_core.environment import SettingsInvalid, Variable, boolean, integer, listed, text
from qg_core.service_variables import (
    ServiceSettings,
    gateway_id,
    keys,
    listener_variables,
    origins,
    process_name,
    process_variables,
    read_service_settings,
    redis_url,
)
from qg_oracle.hosts import parse_allowed
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Verifier


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """Everything the data plane is told by its environment. Units are in the names."""

    node_name: str | None
    bundle_seal_keys: tuple[str, ...]
    bundle_verify_keys: tuple[str, ...]
    state_dir: Path
    staleness_max_s: int | None
    oracle_hosts_allowed: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    security_headers: bool
    cors_origins: tuple[str, ...]
    query_timeout_max_ms: int
    requests_in_flight_max: int
    snapshot_cache_bytes: int
    snapshots_disk_bytes_max: int
    verified_credentials_max: int
    bcrypt_threads: int
    bcrypt_queue_max: int
    sign_in_failures_window_s: int
    sign_in_failures_credential_max: int
    sign_in_failures_address_max: int
    sign_in_forgeries_address_max: int
    access_log: bool
    access_log_bytes_max: int


def _staleness(value: str) -> int | None:
    if value.strip().lower() == "off":
        return None
    try:
        return integer(10, 31_536_000)(value)
    except ValueError:
        raise ValueError(f"must be seconds from 10 to 31536000, or the word off, not {value!r}") from None


def _proxies(value: str) -> tuple[Network, ...]:
    return parse_networks(listed(value))


VARIABLES: tuple[Variable, ...] = (
    Variable(
        name="GATEWAY_ID",
        field="gateway_id",
        parse=gateway_id,
        description="Names the gateway; bound into every signature, so bundles of another gateway are refused.",
    ),
    Variable(
        name="NODE_NAME",
        field="node_name",
        parse=process_name,
        default="",
        description="This node's name in reports and logs; empty: the host name and a suffix kept in STATE_DIR.",
    ),
    Variable(
        name="REDIS_URL",
        field="redis_url",
        parse=redis_url,
        secret=True,
        description="Where the published bundle is read from.",
    ),
    Variable(
        name="BUNDLE_SEAL_KEY",
        field="bundle_seal_keys",
        parse=keys(Sealer),
        secret=True,
        description="Fernet keys, comma separated, that open the secrets inside specs; all open.",
    ),
    Variable(
        name="BUNDLE_VERIFY_KEYS",
        field="bundle_verify_keys",
        parse=keys(Ed25519Verifier),
        description="Ed25519 public keys, comma separated; a bundle signed by any of them is trusted.",
    ),
    Variable(
        name="STATE_DIR",
        field="state_dir",
        parse=lambda value: Path(text(value)),
        description="Directory for the last verified bundle, from which the node starts when Redis is down.",
    ),
    Variable(
        name="STALENESS_MAX_S",
        field="staleness_max_s",
        parse=_staleness,
        default="86400",
        description="Seconds without a verified beacon after which protected endpoints answer 503; `off` for never.",
    ),
    Variable(
        name="ORACLE_HOSTS_ALLOWED",
        field="oracle_hosts_allowed",
        parse=lambda value: parse_allowed(listed(value)),
        default="",
        description=(
            "Host name suffixes and CIDRs, comma separated, that sessions may be opened to, whatever is published; "
            "empty: anywhere. Set it as in the control plane: only here a name is held against the CIDRs."
        ),
    ),
    Variable(
        name="TRUSTED_PROXIES",
        field="trusted_proxies",
        parse=_proxies,
        default="",
        description="CIDRs, comma separated, of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    ),
    Variable(
        name="SECURITY_HEADERS",
        field="security_headers",
        parse=boolean,
        default="true",
        description="Whether answers carry the security headers (nosniff, frame options, CSP, HSTS behind HTTPS).",
    ),
    Variable(
        name="CORS_ORIGINS",
        field="cors_origins",
        parse=origins,
        default="",
        description="Origins, comma separated, whose pages may read answers; empty: none, and OPTIONS is refused.",
    ),
    Variable(
        name="QUERY_TIMEOUT_MAX_MS",
        field="query_timeout_max_ms",
        parse=integer(100, 3_600_000),
        default="300000",
        description="Upper bound in milliseconds of every endpoint's time limit.",
    ),
    Variable(
        name="REQUESTS_IN_FLIGHT_MAX",
        field="requests_in_flight_max",
        parse=integer(1, 100_000),
        default="1000",
        description="Requests handled at once; further ones are answered 503 `node_busy`.",
    ),
    Variable(
        name="SNAPSHOT_CACHE_BYTES",
        field="snapshot_cache_bytes",
        parse=integer(0, 17_179_869_184),
        default="67108864",
        description="Bytes of memory for snapshots; one larger than a quarter of it is read from disk as it is sent.",
    ),
    Variable(
        name="SNAPSHOTS_DISK_BYTES_MAX",
        field="snapshots_disk_bytes_max",
        parse=integer(65_536, 1_099_511_627_776),
        default="2147483648",
        description="Bytes of STATE_DIR for snapshots; one that does not fit is not taken, the one before stays.",
    ),
    Variable(
        name="VERIFIED_CREDENTIALS_MAX",
        field="verified_credentials_max",
        parse=integer(1, 1_000_000),
        default="10000",
        description="Entries of the cache of verified credentials.",
    ),
    Variable(
        name="BCRYPT_THREADS",
        field="bcrypt_threads",
        parse=integer(1, 64),
        default="1",
        description="Threads that check passwords and API keys; each check takes a quarter of a second of CPU.",
    ),
    Variable(
        name="BCRYPT_QUEUE_MAX",
        field="bcrypt_queue_max",
        parse=integer(1, 10_000),
        default="32",
        description="Checks that may wait; further ones are answered 503 `sign_in_busy`.",
    ),
    Variable(
        name="SIGN_IN_FAILURES_WINDOW_S",
        field="sign_in_failures_window_s",
        parse=integer(1, 86_400),
        default="300",
        description="Seconds over which failed sign-ins are counted.",
    ),
    Variable(
        name="SIGN_IN_FAILURES_CREDENTIAL_MAX",
        field="sign_in_failures_credential_max",
        parse=integer(1, 1_000_000),
        default="10",
        description="Wrong passwords of one user name from one address within the window; then 429.",
    ),
    Variable(
        name="SIGN_IN_FAILURES_ADDRESS_MAX",
        field="sign_in_failures_address_max",
        parse=integer(1, 1_000_000),
        default="50",
        description="Wrong passwords from one address (IPv6: one /64) within the window; then 429.",
    ),
    Variable(
        name="SIGN_IN_FORGERIES_ADDRESS_MAX",
        field="sign_in_forgeries_address_max",
        parse=integer(1, 10_000_000),
        default="1000",
        description="Refused keys and tokens from one address within the window; then they get 429 instead of 401.",
    ),
    *listener_variables(port=8080, port_for="Port for consumers."),
    Variable(
        name="ACCESS_LOG",
        field="access_log",
        parse=boolean,
        default="true",
        description="Whether requests are recorded for the access log: in STATE_DIR, and on to the workers.",
    ),
    Variable(
        name="ACCESS_LOG_BYTES_MAX",
        field="access_log_bytes_max",
        parse=integer(1_048_576, 1_099_511_627_776),
        default="268435456",
        description="Bytes of access events kept in STATE_DIR until they are stored; beyond, the oldest are dropped.",
    ),
    *process_variables(ops_port=9080),
)


def settings_from(environ: Mapping[str, str]) -> Settings:
    """The settings of this process. Raises `SettingsInvalid` with every problem."""
    settings, problems = read_service_settings(Settings, VARIABLES, environ)
    if settings is None or problems:
        raise SettingsInvalid(problems)
    return settings
