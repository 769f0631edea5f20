"""The worker's settings: read once from the environment, every problem reported together."""

from collections.abc import Mapping
from pathlib import Path

from qg_core.environment import SettingsInvalid, Variable, integer, listed, text
from qg_core.service_variables import (
    ProcessSettings,
    checked,
    gateway_id,
    keys,
    process_name,
    process_variables,
    read_service_settings,
    redis_url,
)
from qg_oracle.hosts import parse_allowed
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Verifier
from qg_store.engine import asyncpg_url


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """Everything a worker is told by its environment. Units are in the names."""

    worker_name: str | None
    database_url: str
    database_connections_max: int
    bundle_seal_keys: tuple[str, ...]
    bundle_verify_keys: tuple[str, ...]
    state_dir: Path
    oracle_hosts_allowed: tuple[str, ...]
    query_timeout_max_ms: int
    max_job_concurrency: int
    snapshot_bytes_max: int
    snapshots_redis_bytes_max: int
    snapshot_retention_count: int
    access_log_retention_days: int


_STORED_WINS = "A stored setting wins."

VARIABLES: tuple[Variable, ...] = (
    Variable(
        name="GATEWAY_ID",
        field="gateway_id",
        parse=gateway_id,
        description="Names the gateway; bound into what workers tag, and kept in Postgres, which must agree.",
    ),
    Variable(
        name="WORKER_NAME",
        field="worker_name",
        parse=process_name,
        default="",
        description="This worker's name in job runs and logs; empty: the host name and a suffix kept in STATE_DIR.",
    ),
    Variable(
        name="DATABASE_URL",
        field="database_url",
        parse=checked(asyncpg_url),
        secret=True,
        description="Postgres, `postgresql://...`, as a user in the group `qg_worker`.",
    ),
    Variable(
        name="DATABASE_CONNECTIONS_MAX",
        field="database_connections_max",
        parse=integer(6, 1_000),
        default="10",
        description="Connections to Postgres, beside the one of the heartbeat.",
    ),
    Variable(
        name="REDIS_URL",
        field="redis_url",
        parse=redis_url,
        secret=True,
        description="Where snapshots are copied to, access events come from and wake-ups arrive.",
    ),
    Variable(
        name="BUNDLE_SEAL_KEY",
        field="bundle_seal_keys",
        parse=keys(Sealer),
        secret=True,
        description="Fernet keys, comma separated, that open the secrets inside specs; the first tags what is written.",
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
        description="Directory of this worker alone: its name, and results on their way into Postgres.",
    ),
    Variable(
        name="ORACLE_HOSTS_ALLOWED",
        field="oracle_hosts_allowed",
        parse=lambda value: parse_allowed(listed(value)),
        default="",
        description=(
            "Host name suffixes and CIDRs, comma separated, that sessions may be opened to, whatever is published; "
            "empty: anywhere."
        ),
    ),
    Variable(
        name="QUERY_TIMEOUT_MAX_MS",
        field="query_timeout_max_ms",
        parse=integer(100, 3_600_000),
        default="300000",
        description=f"Upper bound in milliseconds of every run's statement. {_STORED_WINS}",
    ),
    Variable(
        name="MAX_JOB_CONCURRENCY",
        field="max_job_concurrency",
        parse=integer(1, 10),
        default="4",
        description=f"Job runs that may be live at once, in all workers together. {_STORED_WINS}",
    ),
    Variable(
        name="SNAPSHOT_BYTES_MAX",
        field="snapshot_bytes_max",
        parse=integer(1_024, 17_179_869_184),
        default="268435456",
        description="Bytes of one snapshot, uncompressed; a run that would exceed them fails.",
    ),
    Variable(
        name="SNAPSHOTS_REDIS_BYTES_MAX",
        field="snapshots_redis_bytes_max",
        parse=integer(1_024, 1_099_511_627_776),
        default="536870912",
        description="Bytes of the copies in Redis of all endpoints' newest snapshots together; a run past it fails.",
    ),
    Variable(
        name="SNAPSHOT_RETENTION_COUNT",
        field="snapshot_retention_count",
        parse=integer(1, 100),
        default="5",
        description=f"Snapshots kept per endpoint in Postgres. {_STORED_WINS}",
    ),
    Variable(
        name="ACCESS_LOG_RETENTION_DAYS",
        field="access_log_retention_days",
        parse=integer(1, 3_650),
        default="90",
        description=f"Days that rows of the access log are kept. {_STORED_WINS}",
    ),
    *process_variables(ops_port=9090, grace_for="live job runs"),
)


def settings_from(environ: Mapping[str, str]) -> Settings:
    """The settings of this process. Raises `SettingsInvalid` with every problem."""
    settings, problems = read_service_settings(Settings, VARIABLES, environ)
    if settings is None or problems:
        raise SettingsInvalid(problems)
    return settings
