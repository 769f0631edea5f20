"""Whole gateways for end-to-end tests: every service as real processes, on servers of one test."""

import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx
import psutil

from qg_devstack.secrets import StackSecrets
from qg_devstack.servers import StandinAddress
from qg_devstack.servers.ports import free_port
from qg_devstack.service import Service, ServiceOptions
from qg_security.passwords import hash_password
from tests.support import loopback
from tests.support.waiting import wait_until

POINT_QUERY = "select item_id, name from items where item_id = :item_id"
POINT_PARAMETERS = {"item_id": {"type": "integer"}}


@dataclass(frozen=True)
class Running:
    """One service of the fleet: `url` for callers, `ops_url` for probes."""

    service: Service
    url: str
    ops_url: str

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        process = psutil.Process(self.service.pid)
        process.kill()
        wait_until(lambda: self.service.poll() is not None, "the killed service is gone")


@dataclass
class Fleet:
    """Starts services that belong together; whatever is still running at the end is stopped."""

    directory: Path
    app_url: str
    worker_url: str
    redis_url: str
    oracle: StandinAddress
    secrets: StackSecrets = field(default_factory=StackSecrets)
    gateway_id: str = "e2e-gateway"
    services: list[Service] = field(default_factory=list)

    def control_plane(self, *, name: str = "control-plane", ready: bool = True, **settings: str) -> Running:
        """A control plane; several may run at once."""
        signing_key, verify_key = self.secrets.signing_pair
        return self._start(
            name,
            "control-plane",
            {
                "DATABASE_URL": self.app_url,
                "ENCRYPTION_KEY": self.secrets.encryption_key,
                "BUNDLE_SIGNING_KEY": signing_key,
                "BUNDLE_VERIFY_KEYS": verify_key,
                "JWT_SECRET_KEY": self.secrets.jwt_secret_key,
                "ADMIN_USERNAME": "admin",
                "ADMIN_PASSWORD_HASH": _hash_once(self.secrets.admin_password),
                **settings,
            },
            ready=ready,
        )

    def data_plane(self, name: str = "node-1", *, ready: bool = True, **settings: str) -> Running:
        """A data plane; one started again under its old name finds its old `STATE_DIR`."""
        state = self.directory / f"state-{name}"
        state.mkdir(mode=0o700, exist_ok=True)
        known = {"BUNDLE_VERIFY_KEYS": self.secrets.signing_pair[1], "STATE_DIR": str(state), "NODE_NAME": name}
        return self._start(name, "data-plane", {**known, **settings}, ready=ready)

    def worker(self, name: str = "worker-1", *, ready: bool = True, **settings: str) -> Running:
        """A worker; its `url` is its ops port."""
        state = self.directory / f"state-{name}"
        state.mkdir(mode=0o700, exist_ok=True)
        known = {
            "DATABASE_URL": self.worker_url,
            "BUNDLE_VERIFY_KEYS": self.secrets.signing_pair[1],
            "STATE_DIR": str(state),
            "WORKER_NAME": name,
        }
        return self._start(name, "worker", {**known, **settings}, ready=ready)

    def admin(self, control_plane: Running) -> "Admin":
        """Signed in as the seeded admin."""
        return Admin(control_plane.url, self.secrets.admin_password)

    def stop(self) -> None:
        for service in reversed(self.services):
            service.stop()

    def _start(self, name: str, subcommand: str, settings: dict[str, str], *, ready: bool) -> Running:
        port, ops_port = _unpromised_port(), _unpromised_port()
        ops_url = f"http://127.0.0.1:{ops_port}"
        shared = {
            "APP_ENV": "development",
            "GATEWAY_ID": self.gateway_id,
            "REDIS_URL": self.redis_url,
            "BUNDLE_SEAL_KEY": self.secrets.seal_key,
            "SHUTDOWN_GRACE_SECONDS": "3",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "OPS_PORT": str(ops_port),
        }
        service = Service(
            ServiceOptions(
                name=name,
                subcommand=subcommand,
                settings={**shared, **settings},
                ops_url=ops_url,
                directory=self.directory,
                log_path=self.directory / f"{name}-{len(self.services)}.log",
            )
        )
        self.services.append(service)
        service.begin()
        if ready:
            service.wait_ready()
        return Running(service, f"http://127.0.0.1:{port}", ops_url)


_promised: set[int] = set()


def _unpromised_port() -> int:
    """A free port that was given to no other service of this run, which may not listen yet."""
    while (port := free_port()) in _promised:
        pass
    _promised.add(port)
    return port


class Admin:
    """The admin API, as a script would use it; every answer's revision is kept."""

    def __init__(self, url: str, password: str) -> None:
        self.client = loopback.client(f"{url}/api/v1", timeout_s=30)
        token = self.client.post("/auth/login", json={"username": "admin", "password": password}).json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"
        self.revision = 0

    def __enter__(self) -> "Admin":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """One request under `/api/v1/admin/`; the answer as it came."""
        answer = self.client.request(method, f"/admin/{path}", json=body)
        self.revision = max(self.revision, int(answer.headers.get("X-QG-Revision", "0")))
        return answer

    def make(self, to: str, /, **fields: object) -> dict[str, str]:
        """`POST` that must answer 2xx."""
        answer = self.send("POST", to, fields)
        assert answer.is_success, answer.text
        made: dict[str, str] = answer.json()
        return made

    def connection(self, oracle: StandinAddress, **fields: object) -> str:
        """A connection to the stand-in; its id."""
        known = {
            "name": f"oracle-{time.monotonic_ns()}",
            "host": oracle.host,
            "port": oracle.port,
            "service_name": oracle.service_name,
            "username": oracle.user,
            "password": oracle.password,
        }
        return self.make("connections", **{**known, **fields})["id"]

    def endpoint(self, path: str, connection_id: str, **fields: object) -> dict[str, str]:
        """A point query over `items`; public unless `auth_method_id` is given."""
        known: dict[str, object] = {
            "name": path,
            "path": path,
            "connection_id": connection_id,
            "sql_text": POINT_QUERY,
            "param_schema": POINT_PARAMETERS,
            "allow_unauthenticated": "auth_method_id" not in fields,
        }
        return self.make("endpoints", **{**known, **fields})


_hashes: dict[str, str] = {}


def _hash_once(password: str) -> str:
    """bcrypt costs a quarter of a second: once per password is enough."""
    if password not in _hashes:
        _hashes[password] = hash_password(password)
    return _hashes[password]


def get(node: Running, path: str, **headers: str) -> httpx.Response:
    """One data request on a connection of its own."""
    return loopback.get(f"{node.url}/api/v1/data/{path}", headers)


def send_raw(node: Running, target: bytes, *headers: bytes, method: bytes = b"GET") -> tuple[int, bytes]:
    """Status and body of a request whose bytes no client library would send; status 0 when there was no answer."""
    host, port = node.url.removeprefix("http://").split(":")
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: test", b"Connection: close", *headers]
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        answer = b""
        while received := connection.recv(65_536):
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split(b" ", 2)[1]) if head else 0), body
