"""Whatever the OpenAPI document allows, and much that it doesn't, never ends in a 500."""

import contextlib
import json
import os
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from qg_devstack.servers.ports import free_port
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import PASSWORD, environment
from tests.support import loopback

EXAMPLES_PER_OPERATION = int(os.environ.get("FUZZ_EXAMPLES", "2"))
"""Times some 40 operations, valid and invalid each: within half a minute; `make storm` takes fifteen times as many."""

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance, content_type_conformance]


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
            if loopback.status_of(f"http://127.0.0.1:{self.ops_port}/-/ready") == 200:
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
    with loopback.client(base) as client:
        signed = client.post("/api/v1/auth/login", json={"username": "ada", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {signed.json()['access_token']}"}
        client.headers.update(headers)
        known = known_ids(client)
        document = json.loads(client.get("/api/v1/openapi.json").content)
    schema = schemathesis.openapi.from_dict(document)
    called: set[str] = set()
    statuses: Counter[int] = Counter()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path == "/api/v1/auth/login":
            continue
        called.add(f"{operation.method.upper()} {operation.path}")
        for mode in GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=EXAMPLES_PER_OPERATION,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def call(case: schemathesis.Case[Any]) -> None:
                if case.operation.method.upper() != "DELETE":
                    lead_to_known(case, known)
                answer = case.call(base_url=base, headers=headers)
                statuses[answer.status_code] += 1
                case.validate_response(answer, checks=CHECKS)

            with contextlib.suppress(Unsatisfiable):  # nothing to get wrong where nothing is read
                call()
    assert len(called) >= 36
    assert all(statuses[expected] for expected in (200, 201, 404, 422)), statuses
    assert served.unforeseen() == []


def known_ids(client: httpx.Client) -> dict[str, str]:
    """Things that exist, so that calls get past "no such thing"."""
    connection = {
        "name": "known", "host": "127.0.0.1", "port": 1, "service_name": "x", "username": "u", "password": "p",
        "is_active": False,
    }  # fmt: skip
    known = {"connection_id": client.post("/api/v1/admin/connections", json=connection).json()["id"]}
    method = client.post("/api/v1/admin/auth", json={"name": "known", "method_type": "bearer"})
    known["method_id"] = known["auth_method_id"] = method.json()["id"]
    endpoint = {
        "name": "known", "path": "known", "sql_text": "select 1 from dual", "connection_id": known["connection_id"],
        "auth_method_id": known["auth_method_id"], "data_strategy": "snapshot",
    }  # fmt: skip
    made = client.post("/api/v1/admin/endpoints", json=endpoint)
    assert made.status_code == 201, made.text
    known["endpoint_id"] = made.json()["id"]
    schedule = {"endpoint_id": known["endpoint_id"], "schedule_type": "interval", "interval_seconds": 3_600}
    known["schedule_id"] = client.post("/api/v1/admin/schedules", json=schedule).json()["id"]
    queued = client.post(f"/api/v1/admin/schedules/{known['schedule_id']}/run")
    assert queued.status_code == 202, queued.text
    return {**known, "job_run_id": queued.json()["job_run_id"], "revision": "2", "other": "3"}


def lead_to_known(case: schemathesis.Case[Any], known: dict[str, str]) -> None:
    """Every other call speaks of things that exist."""
    if zlib.crc32(repr(case.body).encode()) % 2:
        return
    for place in (case.path_parameters, case.body):
        if isinstance(place, dict):
            place.update({name: value for name, value in known.items() if name in place})
