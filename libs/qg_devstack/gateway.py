"""The gateway's own services: migrations, one control plane, N data planes, M workers, with what each one is told."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from qg_devstack.backends import Database
from qg_devstack.plan import Plan
from qg_devstack.record import Place
from qg_devstack.secrets import StackSecrets
from qg_devstack.servers.errors import ServerFailed
from qg_devstack.servers.ports import LOOPBACK
from qg_devstack.service import Service, ServiceOptions, querygateway, service_environment
from qg_security.passwords import hash_password

ADMIN_USERNAME = "admin"
_MIGRATION_TIMEOUT_S = 60.0
# Short: a developer waits for it. Longer than any demo query takes.
_SHUTDOWN_GRACE_S = 3


def migrate(database: Database, log_path: Path) -> None:
    """Run the migrations as an operator would. Raises ServerFailed."""
    settings = {"MIGRATION_DATABASE_URL": database.url}
    with log_path.open("wb") as log:
        try:
            done = subprocess.run(
                [*querygateway(), "migrate"],
                env=service_environment() | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_MIGRATION_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"the migrations took more than {_MIGRATION_TIMEOUT_S:g} s: {log_path}") from None
    if done.returncode:
        raise ServerFailed(f"the migrations ended with status {done.returncode}\n{log_path.read_text()}")


def control_plane(plan: Plan, place: Place, secrets: StackSecrets, database: Database, redis_url: str) -> Service:
    """The control plane, not started yet."""
    signing_key, verify_key = secrets.signing_pair
    settings = _shared(secrets, redis_url) | {
        "DATABASE_URL": database.app_url,
        "ENCRYPTION_KEY": secrets.encryption_key,
        "BUNDLE_SIGNING_KEY": signing_key,
        "BUNDLE_VERIFY_KEYS": verify_key,
        "JWT_SECRET_KEY": secrets.jwt_secret_key,
        "ADMIN_USERNAME": ADMIN_USERNAME,
        "ADMIN_PASSWORD_HASH": hash_password(secrets.admin_password),
    }
    return _service(place, "control plane", "control-plane", settings, _listening(plan.control_plane_port))


def data_plane(plan: Plan, place: Place, secrets: StackSecrets, redis_url: str, index: int) -> Service:
    """Data plane `index` (from 0), not started yet, with a state directory of its own."""
    name = f"data plane {index + 1}"
    node = f"dev-{index + 1}"
    settings = _shared(secrets, redis_url) | {
        "BUNDLE_VERIFY_KEYS": secrets.signing_pair[1],
        "STATE_DIR": _state_directory(place, node),
        "NODE_NAME": node,
    }
    return _service(place, name, "data-plane", settings, _listening(plan.data_plane_port(index)))


def worker(plan: Plan, place: Place, secrets: StackSecrets, database: Database, redis_url: str, index: int) -> Service:
    """Worker `index` (from 0), not started yet, with a state directory of its own."""
    name = f"dev-worker-{index + 1}"
    settings = _shared(secrets, redis_url) | {
        "DATABASE_URL": database.worker_url,
        "BUNDLE_VERIFY_KEYS": secrets.signing_pair[1],
        "STATE_DIR": _state_directory(place, name),
        "WORKER_NAME": name,
    }
    listening = {"OPS_PORT": str(plan.worker_ops_port(index))}
    return _service(place, f"worker {index + 1}", "worker", settings, listening)


def url_of(port: int) -> str:
    """`http://127.0.0.1:port`."""
    return f"http://{LOOPBACK}:{port}"


def _shared(secrets: StackSecrets, redis_url: str) -> dict[str, str]:
    return {
        "APP_ENV": "development",
        "GATEWAY_ID": f"dev-{secrets.suffix}",
        "REDIS_URL": redis_url,
        "BUNDLE_SEAL_KEY": secrets.seal_key,
        "LOG_LEVEL": "INFO",
        "SHUTDOWN_GRACE_SECONDS": str(_SHUTDOWN_GRACE_S),
    }


def _state_directory(place: Place, owner: str) -> str:
    state = place.run / f"state-{owner}"
    state.mkdir(mode=0o700)
    return str(state)


def _listening(port: int) -> dict[str, str]:
    return {"HOST": LOOPBACK, "PORT": str(port), "OPS_PORT": str(port + 1)}


def _service(
    place: Place, name: str, subcommand: str, settings: Mapping[str, str], listening: Mapping[str, str]
) -> Service:
    options = ServiceOptions(
        name=name,
        subcommand=subcommand,
        settings={**settings, **listening},
        ops_url=url_of(int(listening["OPS_PORT"])),
        directory=place.run,
        log_path=place.logs / f"{name.replace(' ', '-')}.log",
    )
    return Service(options)
