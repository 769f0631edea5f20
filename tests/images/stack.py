"""The compose stack of a test run: started, asked through nginx over TLS, and taken down with everything it made."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import httpx

from tests.images.docker import ROOT, docker

_DEPLOY = ROOT / "deploy"
_UP_TIMEOUT_S = 300.0
_HTTP_TIMEOUT_S = 30.0


class Stack:
    """One stack under a name of its own; `up` starts it and makes the demo, `down` leaves nothing."""

    def __init__(self, directory: Path, image: str, standin_image: str, server_images: Mapping[str, str]) -> None:
        self.project = f"querygateway-test-{os.getpid()}"
        self.secrets = directory / "secrets"
        self.data_port, self.admin_port = _free_port(), _free_port()
        self.demo_lines: list[str] = []
        self.environ = {
            **os.environ,
            **server_images,
            "COMPOSE_PROJECT_NAME": self.project,
            "QUERYGATEWAY_IMAGE": image,
            "STANDIN_IMAGE": standin_image,
            "SECRETS_DIR": str(self.secrets),
            # Apart from a stack that somebody runs on this machine, and from other runs of these tests.
            "EDGE_PREFIX": f"172.16.{os.getpid() % 200 + 20}",
            "DATA_PORT": str(self.data_port),
            "ADMIN_PORT": str(self.admin_port),
            "DEMO_SCALE": "0.05",
        }

    def up(self) -> None:
        """Secrets, services, demo: as docs/deployment.md says it."""
        self.script("make-secrets")
        self.compose("--profile", "standin", "up", "--detach", "--wait", "--wait-timeout", "240")
        self.demo_lines = self.script("demo").splitlines()

    def down(self) -> None:
        """Containers, networks, volumes and secrets are gone afterwards."""
        self.compose("--profile", "standin", "--profile", "demo", "down", "--volumes", "--timeout", "5")
        shutil.rmtree(self.secrets, ignore_errors=True)

    def script(self, name: str, *arguments: str) -> str:
        """One of deploy/'s scripts; what it printed."""
        return self._run([str(_DEPLOY / name), *arguments])

    def compose(self, *arguments: str) -> str:
        """A compose command on this stack; what it printed."""
        return self._run([*compose_program(), "--file", str(_DEPLOY / "compose.yaml"), *arguments])

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What Docker says of a service's container."""
        found: dict[str, Any] = json.loads(docker("inspect", self.container(service)).stdout)[0]
        return found

    def secret_values(self) -> list[str]:
        """Every line of every secret file. Read in a container: each file belongs to whoever reads it there."""
        program = (
            "import pathlib\n"
            "public = {'gateway.env', 'ca.crt', 'tls_certificate'}\n"
            "files = [path for path in pathlib.Path('/secrets').iterdir() if path.name not in public]\n"
            "print(*(line for path in files for line in path.read_text().splitlines() if len(line) > 20), sep='\\n')"
        )
        mount = ("--volume", f"{self.secrets}:/secrets:ro")
        closed = ("run", "--rm", "--network", "none", "--user", "0:0", *mount, "--entrypoint", "python")
        return docker(*closed, self.environ["QUERYGATEWAY_IMAGE"], "-c", program).stdout.splitlines()

    def logs(self, *services: str) -> str:
        """Everything that services wrote since they began."""
        return self.compose("--profile", "standin", "logs", "--no-color", "--no-log-prefix", *services)

    def trust(self) -> ssl.SSLContext:
        """A client's TLS, which trusts the demo's authority alone."""
        return ssl.create_default_context(cafile=self.secrets / "ca.crt")

    def get(self, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> httpx.Response:
        """`GET` on the consumers' side."""
        url = f"https://localhost:{self.data_port}{path}"
        with httpx.Client(verify=self.trust(), trust_env=False, timeout=_HTTP_TIMEOUT_S) as client:
            return client.request(options.pop("method", "GET"), url, headers=headers, **options)

    @contextmanager
    def admin(self) -> Iterator[httpx.Client]:
        """Signed in as the admin, through nginx's side for admins."""
        url = f"https://localhost:{self.admin_port}/api/v1/"
        password = (self.secrets / "admin_password").read_text().strip()
        with httpx.Client(base_url=url, verify=self.trust(), trust_env=False, timeout=_HTTP_TIMEOUT_S) as client:
            answer = client.post("auth/login", json={"username": "admin", "password": password})
            answer.raise_for_status()
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield client

    def raw(self, path: str) -> tuple[int, bytes]:
        """`GET` with a path that goes out as it is, byte for byte."""
        connection = HTTPSConnection("localhost", self.data_port, context=self.trust(), timeout=_HTTP_TIMEOUT_S)
        try:
            connection.putrequest("GET", path)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def demo_line(self, path: str) -> str:
        """The `curl` line that the demo printed for an endpoint."""
        return next(line for line in self.demo_lines if line.startswith("curl ") and f"/data/{path}" in line)

    def api_key(self) -> str:
        """The demo's API key."""
        found = re.search(r"X-Api-Key: (\S+?)'", self.demo_line("orders/by-customer"))
        assert found
        return found[1]

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_UP_TIMEOUT_S, env=self.environ, check=False, cwd=ROOT
        )
        if done.returncode:
            sys.stderr.write(self._why())
            raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def _why(self) -> str:
        """The end of the logs of a stack that is not well."""
        command = [*compose_program(), "--file", str(_DEPLOY / "compose.yaml"), "logs", "--no-color", "--tail", "20"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, env=self.environ, check=False)
        return told.stdout + told.stderr


def compose_program() -> list[str]:
    """`docker compose`, else `docker-compose`, as the scripts choose it."""
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=30, check=False)
    return ["docker", "compose"] if asked.returncode == 0 else ["docker-compose"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
