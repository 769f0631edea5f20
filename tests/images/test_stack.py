"""The compose stack with the stand-in, asked as consumers and admins ask it: through nginx, over TLS."""

import json
import shlex
import socket
import ssl
import subprocess

import pytest

from tests.images.docker import docker
from tests.images.stack import Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

_PUBLIC = "/api/v1/data/items/categories"
_SERVICES = ("nginx", "control-plane", "data-plane-1", "data-plane-2", "worker", "postgres", "redis", "standin")
_LIVE = ("orders/by-customer", "customers/by-country", "inventory/by-item", "items/categories")
_FROM_SNAPSHOTS = ("orders/by-status", "inventory/by-plant")


def _curl(line: str) -> tuple[int, str]:
    """Status and body of a `curl` line that was printed for people."""
    done = subprocess.run(
        [*shlex.split(line), "-w", "\n%{http_code}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.mark.parametrize("path", _LIVE)
def test_the_printed_curl_lines_give_rows(stack: Stack, path: str) -> None:
    status, body = _curl(stack.demo_line(path))
    assert status == 200
    assert json.loads(body)["meta"]["row_count"] > 0


@pytest.mark.parametrize("path", _FROM_SNAPSHOTS)
def test_snapshots_are_made_and_served(stack: Stack, path: str) -> None:
    line = stack.demo_line(path)
    wait_until(lambda: _curl(line)[0] == 200, "the worker's snapshot is served", timeout_s=60)


def test_the_admin_signs_in_on_the_admins_side_alone(stack: Stack) -> None:
    password = (stack.secrets / "admin_password").read_text().strip()
    fields = {"username": "admin", "password": password}
    sign_in = "/api/v1/auth/login"
    assert stack.get(sign_in, method="POST", json=fields).status_code in (404, 405, 413)
    line = f"curl -sS --cacert {stack.secrets}/ca.crt https://localhost:{stack.admin_port}{sign_in}"
    status, body = _curl(f"{line} -H 'content-type: application/json' -d '{json.dumps(fields)}'")
    assert status in (200, 201)
    assert json.loads(body)["access_token"]


@pytest.mark.parametrize("service", _SERVICES)
def test_a_container_has_no_rights_and_can_not_write_to_its_root(stack: Stack, service: str) -> None:
    found = stack.inspect(service)
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert not found["Config"]["User"].startswith("0")
    status = docker("exec", found["Id"], *_status_of_first_process(service)).stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"


def _status_of_first_process(service: str) -> list[str]:
    ours = service in {"control-plane", "data-plane-1", "data-plane-2", "worker", "standin"}
    return ["python", "-c", "print(open('/proc/1/status').read())"] if ours else ["cat", "/proc/1/status"]


def test_datastores_can_not_be_reached_from_outside_nor_reach_it(stack: Stack) -> None:
    for service in ("postgres", "redis", "standin"):
        assert stack.inspect(service)["HostConfig"]["PortBindings"] in (None, {})
        networks = stack.inspect(service)["NetworkSettings"]["Networks"]
        assert networks
        for name in networks:
            (network,) = json.loads(docker("network", "inspect", name).stdout)
            assert network["Internal"], f"{service} has a way out through {name}"


def test_a_data_plane_can_not_even_resolve_postgres(stack: Stack) -> None:
    program = "import socket; socket.getaddrinfo('postgres', 5432)"
    refused = docker("exec", stack.container("data-plane-1"), "python", "-c", program, check=False)
    assert "socket.gaierror" in refused.stderr
    assert docker("exec", stack.container("worker"), "python", "-c", program).returncode == 0


def test_nginx_takes_its_own_configuration(stack: Stack) -> None:
    told = docker("exec", stack.container("nginx"), "nginx", "-t")
    assert "test is successful" in told.stderr
    assert "[warn]" not in told.stderr


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_tls_and_plain_http_are_refused(stack: Stack) -> None:
    old = stack.trust()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", stack.data_port), 5) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)version|alert|protocol"),
    ):
        old.wrap_socket(plain, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", stack.data_port), 5) as plain:
        plain.sendall(f"GET {_PUBLIC} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert plain.recv(64).startswith(b"HTTP/1.1 400")


def test_hsts_comes_from_the_gateway_once(stack: Stack) -> None:
    answer = stack.get(_PUBLIC)
    assert answer.status_code == 200
    assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000; includeSubDomains"]


def test_who_called_is_what_the_connection_says(stack: Stack) -> None:
    forged = {"X-Forwarded-For": "203.0.113.77", "Forwarded": "for=203.0.113.77", "X-Real-IP": "203.0.113.77"}
    assert stack.get(_PUBLIC, forged).status_code == 200

    def served() -> list[dict[str, object]]:
        lines = stack.logs("data-plane-1", "data-plane-2").splitlines()
        return [event for event in map(_event, lines) if event.get("event") == "request_served"]

    wait_until(lambda: bool(served()), "the request is in a log", timeout_s=15)
    assert "203.0.113.77" not in stack.logs()


def _event(line: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def test_the_gateways_limits_hold_behind_nginx(stack: Stack) -> None:
    assert stack.get(_PUBLIC, method="GET", content=b"a body").status_code == 413
    assert stack.get(f"{_PUBLIC}?q={'x' * 8000}").status_code in (400, 422)
    assert stack.get(f"{_PUBLIC}?q={'x' * 8300}").status_code == 414
    big = {f"X-Filler-{number}": "x" * 4000 for number in range(5)}
    assert stack.get(_PUBLIC, big).status_code == 431


@pytest.mark.parametrize(
    "path", [_PUBLIC.replace("items", "%69tems"), _PUBLIC.replace("/items", "//items"), _PUBLIC + "/"]
)
def test_the_path_reaches_the_gateway_as_it_came(stack: Stack, path: str) -> None:
    status, body = stack.raw(path)
    assert status == 404
    assert json.loads(body)["code"] == "endpoint_not_found"


def test_redis_refuses_whoever_has_no_password(stack: Stack) -> None:
    told = docker("exec", stack.container("redis"), "redis-cli", "get", "qg:head", check=False)
    assert "NOAUTH" in told.stdout + told.stderr


def test_no_service_lacked_a_right_in_redis_or_postgres(stack: Stack) -> None:
    told = stack.logs("control-plane", "data-plane-1", "data-plane-2", "worker")
    for word in ("NOPERM", "NoPermission", "permission denied", "redis_evicts"):
        assert word not in told
    assert "qg:" not in stack.logs("redis")


def test_no_secret_is_in_a_log_a_variable_or_a_command(stack: Stack) -> None:
    values = stack.secret_values()
    values += [url.rpartition("@")[0].rpartition(":")[2] for url in values if "://" in url]
    told = stack.logs() + "".join(json.dumps(stack.inspect(service)) for service in _SERVICES)
    assert len(values) > 20
    assert not [value for value in values if value in told]
