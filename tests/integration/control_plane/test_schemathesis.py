"""Whatever the OpenAPI document allows, and much that it doesn't, never ends in a 500."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error

from qg_devstack.servers.ports import free_port
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import PASSWORD, environment

EXAMPLES_PER_OPERATION = 12
"""Times some 40 operations: within a minute."""


class Served:
    """A control plane in a process of its own."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self.port, self.ops_port = free_port(), free_port()
        self._environ = {**os.environ, **environ, "PORT": str(self.port), "OPS_PORT": str(self.ops_port)}
        self._log = log

    def __enter__(self) -> "Served":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "control_plane"], env=self._environ, stdout=log, stderr=subprocess.STDOUT
            )
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            assert self._process.poll() is None, self._log.read_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self.ops_port}/-/ready").status_code == 200:
                    return self
            time.sleep(0.05)
        raise TimeoutError(self._log.read_text())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            assert self._process.wait(30) == 0
        finally:
            self._process.kill()

    def unforeseen(self) -> list[str]:
        """Log lines of failures nobody foresaw."""
        return [line for line in self._log.read_text().splitlines() if '"unforeseen_error"' in line]


@pytest.fixture
def served(store_urls: StoreUrls, redis_url: str, tmp_path: Path) -> Iterator[Served]:
    with Served(environment(store_urls, redis_url), tmp_path / "log") as made:
        yield made


def test_no_operation_ever_fails(served: Served) -> None:
    base = f"http://127.0.0.1:{served.port}"
    with httpx.Client(base_url=base) as client:
        signed = client.post("/api/v1/auth/login", json={"username": "ada", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {signed.json()['access_token']}"}
        document = json.loads(client.get("/api/v1/openapi.json", headers=headers).content)
    schema = schemathesis.openapi.from_dict(document)
    called: set[str] = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path == "/api/v1/auth/login":
            continue
        called.add(f"{operation.method.upper()} {operation.path}")

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES_PER_OPERATION,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def call(case: schemathesis.Case) -> None:
            answer = case.call(base_url=base, headers=headers)
            case.validate_response(answer, checks=[not_a_server_error])

        call()
    assert len(called) >= 36
    assert served.unforeseen() == []
