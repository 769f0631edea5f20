"""`control-plane`, `data-plane`, `worker`: start a service in this process.

A service's modules are imported only when it is started: a data plane must not even load what talks to Postgres.
"""

import argparse
import gc
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import cast

from cli.subcommands import Run, Subcommands, add_subcommand

_CONTROL_PLANE = """\
The admin API: saves definitions in Postgres, signs and publishes them to Redis.

Required:
  GATEWAY_ID            names this gateway; part of every signature
  DATABASE_URL          Postgres, as a user in the group qg_app
  REDIS_URL             Redis that keeps what it is given (maxmemory-policy noeviction)
  ENCRYPTION_KEY        seals secrets in Postgres; no other service has it
  BUNDLE_SEAL_KEY       seals secrets in what is published
  BUNDLE_SIGNING_KEY    signs what is published; no other service has it
  JWT_SECRET_KEY        signs admins' tokens
  ADMIN_USERNAME, ADMIN_PASSWORD_HASH   the first admin (querygateway hash-password)
Often set:
  HOST, PORT, OPS_HOST, OPS_PORT, LOG_LEVEL, APP_ENV, TRUSTED_PROXIES, ORACLE_HOSTS_ALLOWED,
  BUNDLE_VERIFY_KEYS (while a signing key is being rotated), SHUTDOWN_GRACE_SECONDS

All of them, with defaults: docs/settings.md. SIGTERM drains, then stops.
"""

_DATA_PLANE = """\
Serves /api/v1/data from the published bundle. Run as many as needed, one per process.

Required:
  GATEWAY_ID            the same as the control plane's
  REDIS_URL             where the bundle is read from
  BUNDLE_SEAL_KEY       the same as the control plane's
  BUNDLE_VERIFY_KEYS    public keys whose signatures are trusted
  STATE_DIR             a directory of this node alone; it starts from there without Redis
Often set:
  HOST, PORT, OPS_HOST, OPS_PORT, NODE_NAME, STALENESS_MAX_S, TRUSTED_PROXIES, CORS_ORIGINS,
  ORACLE_HOSTS_ALLOWED, LOG_LEVEL, APP_ENV, SHUTDOWN_GRACE_SECONDS
Never give it: DATABASE_URL, ENCRYPTION_KEY, BUNDLE_SIGNING_KEY, JWT_SECRET_KEY.

All of them, with defaults: docs/settings.md. SIGTERM drains, then stops.
"""

_WORKER = """\
Runs scheduled jobs, keeps snapshots, stores the access log, repairs what Redis lost. Run two or more.

Required:
  GATEWAY_ID            the same as the control plane's
  DATABASE_URL          Postgres, as a user in the group qg_worker
  REDIS_URL             the same Redis as the other services'
  BUNDLE_SEAL_KEY       the same as the control plane's
  BUNDLE_VERIFY_KEYS    public keys whose signatures are trusted
  STATE_DIR             a directory of this worker alone; room for the largest results
Often set:
  OPS_HOST, OPS_PORT, WORKER_NAME, MAX_JOB_CONCURRENCY, SNAPSHOT_BYTES_MAX,
  SNAPSHOTS_REDIS_BYTES_MAX, SNAPSHOT_RETENTION_COUNT, ACCESS_LOG_RETENTION_DAYS,
  ORACLE_HOSTS_ALLOWED, LOG_LEVEL, APP_ENV, SHUTDOWN_GRACE_SECONDS
Never give it: ENCRYPTION_KEY, BUNDLE_SIGNING_KEY, JWT_SECRET_KEY.

All of them, with defaults: docs/settings.md. It listens for probes and scrapes alone (127.0.0.1:9090).
It waits for Postgres, migrated and begun by a control plane, and works without Redis as far as it can.
SIGTERM: takes no new runs, finishes those it has within the grace period, hands the others back.
What to alert on: docs/metrics.md. What its log says when something is wrong: docs/installation.md.
"""


def add_control_plane(subcommands: Subcommands) -> None:
    """Declare `control-plane`."""
    add_subcommand(subcommands, "control-plane", "run the control plane", _CONTROL_PLANE, _starter("control_plane"))


def add_data_plane(subcommands: Subcommands) -> None:
    """Declare `data-plane`."""
    add_subcommand(subcommands, "data-plane", "run a data plane node", _DATA_PLANE, _starter("data_plane"))


def add_worker(subcommands: Subcommands) -> None:
    """Declare `worker`."""
    add_subcommand(subcommands, "worker", "run a worker", _WORKER, _starter("worker"))


def _starter(package: str) -> Run:
    def start(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
        service = _load(f"{package}.__main__")
        return cast(Callable[[Mapping[str, str]], int], service.run)(environ)

    return start


def _load(name: str) -> ModuleType:
    """Import a service without the cycle collector, and leave what was loaded out of its later rounds.

    Modules stay as long as the process. The collector looks at all of them again and again while more are loaded:
    a fifth of the time that a service takes to start.
    """
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()
