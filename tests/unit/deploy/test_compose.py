"""What the compose stack promises: pinned images, closed networks, no rights, secrets as files for one reader each."""

import re
from typing import Any

import pytest

from control_plane.variables import VARIABLES as CONTROL_PLANE
from data_plane.settings import VARIABLES as DATA_PLANE
from deploy.stack import make_secrets
from tests.unit.deploy.compose_file import DEPLOY, read, variables
from worker.settings import VARIABLES as WORKER

_STACK = read("compose.yaml")
_SERVICES: dict[str, dict[str, Any]] = _STACK["services"]
# Oracle's image writes all over its own root; nothing of ours does.
_WRITES_TO_ITS_ROOT = {"oracle"}
_OWN = ("querygateway:local", "querygateway-standin:local")
_DIGEST = re.compile(r"[a-z0-9./_-]+:[\w.-]+@sha256:[0-9a-f]{64}")
_DATASTORES = {"postgres": {"truth"}, "redis": {"bundle"}, "oracle": {"oracle"}, "standin": {"oracle"}}

each_service = pytest.mark.parametrize("name", _SERVICES)


def _networks(name: str) -> set[str]:
    return set(_SERVICES[name]["networks"])


@each_service
def test_images_of_others_are_named_by_digest(name: str) -> None:
    image = _SERVICES[name]["image"]
    assert image in _OWN or _DIGEST.fullmatch(image)


@each_service
def test_a_service_has_no_rights_and_bounded_memory(name: str) -> None:
    service = _SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "userns_mode"} & set(service)
    assert service["mem_limit"]
    assert service["pids_limit"]


@each_service
def test_a_service_can_not_write_to_its_root(name: str) -> None:
    assert _SERVICES[name].get("read_only") is (None if name in _WRITES_TO_ITS_ROOT else True)


@each_service
def test_nothing_of_the_machine_is_mounted_but_files_to_read(name: str) -> None:
    for mount in _SERVICES[name].get("volumes", ()):
        source, *_ = mount.split(":")
        assert source in _STACK["volumes"] or (source.startswith("./") and mount.endswith(":ro")), mount


@each_service
def test_a_service_runs_as_a_number(name: str) -> None:
    if name not in _WRITES_TO_ITS_ROOT:
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", _SERVICES[name]["user"])


def test_only_nginx_is_reachable_and_on_loopback_alone() -> None:
    assert [name for name, service in _SERVICES.items() if service.get("ports")] == ["nginx"]
    assert all(port.startswith("127.0.0.1:") for port in _SERVICES["nginx"]["ports"])
    assert [name for name, network in _STACK["networks"].items() if not network.get("internal")] == ["front"]
    assert [name for name in _SERVICES if "front" in _networks(name)] == ["nginx"]


@pytest.mark.parametrize(("name", "networks"), _DATASTORES.items())
def test_a_datastore_is_on_its_one_internal_network(name: str, networks: set[str]) -> None:
    assert _networks(name) == networks
    assert all(_STACK["networks"][network]["internal"] for network in networks)


def test_data_planes_reach_neither_postgres_nor_what_only_others_may_hold() -> None:
    planes = [name for name, service in _SERVICES.items() if service.get("command") == ["data-plane"]]
    assert len(planes) == 2
    for name in planes:
        assert "truth" not in _networks(name)
        assert _SERVICES[name]["secrets"] == ["data_plane_redis_url", "data_plane_bundle_seal_key"]
    assert len({_SERVICES[name]["volumes"][0] for name in planes}) == 2


def test_the_way_out_is_for_those_that_query() -> None:
    outside = read("compose.outside.yaml")
    assert set(outside["services"]) == {"control-plane", "data-plane-1", "data-plane-2", "worker"}
    assert not any("ports" in service for service in outside["services"].values())


@pytest.mark.parametrize(
    ("name", "known"), [("control-plane", CONTROL_PLANE), ("data-plane-1", DATA_PLANE), ("worker", WORKER)]
)
def test_services_are_told_what_they_know_and_all_that_they_need(name: str, known: Any) -> None:
    told = set(_SERVICES[name]["environment"]) | {"GATEWAY_ID", "BUNDLE_VERIFY_KEYS"}
    secret_files = {f"{variable.name}_FILE" for variable in known if variable.secret}
    assert told <= {variable.name for variable in known} | secret_files
    # The image sets these.
    told |= {"HOST", "OPS_PORT", "STATE_DIR"}
    missing = {v.name for v in known if v.default is None and not {v.name, f"{v.name}_FILE"} & told}
    assert not missing
    # A secret is a file, and the one of this service.
    for variable in known:
        assert not (variable.secret and variable.name in told)
    for setting, value in _SERVICES[name]["environment"].items():
        if setting.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in _SERVICES[name]["secrets"]


def test_each_secret_file_is_made_for_the_user_who_reads_it() -> None:
    keys = dict.fromkeys(("ENCRYPTION_KEY", "BUNDLE_SEAL_KEY", "BUNDLE_SIGNING_KEY", "JWT_SECRET_KEY"), "key")
    owners = {name: owner for name, _, owner in make_secrets.made(keys, "hash", "password")}
    owners |= {"tls_key": make_secrets.NGINX, "tls_certificate": make_secrets.NGINX}
    assert set(owners) == set(_STACK["secrets"])
    users = {name: service.get("user", "54321:54321") for name, service in _SERVICES.items()}
    for name, service in _SERVICES.items():
        for secret in service.get("secrets", ()):
            assert "{}:{}".format(*owners[secret]) == users[name], (name, secret)


def test_rights_in_redis_are_those_of_the_installation() -> None:
    users = make_secrets.redis_users(dict.fromkeys(("gateway_control", "gateway_worker", "gateway_node"), "password"))
    page = (DEPLOY.parent / "docs" / "installation.md").read_text()
    told = re.search(r"^ACL SETUSER gateway_control.*?^```$", page, re.MULTILINE | re.DOTALL)
    assert told
    documented = told[0].replace("\n    ", " ")
    for name in ("gateway_control", "gateway_worker", "gateway_node"):
        line = re.search(rf"^ACL SETUSER {name}\s+on >\.\.\. (.+)$", documented, re.MULTILINE)
        made = re.search(rf"^user {name} on #[0-9a-f]{{64}} (.+)$", users, re.MULTILINE)
        assert line
        assert made
        assert line[1].split() == made[1].split()
    assert "password" not in users
    assert users.startswith("user default off resetpass")


def test_what_can_be_set_is_in_the_example() -> None:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    taken = variables("compose.yaml")
    images = {name for name, default in taken.items() if "@sha256:" in default}
    assert example == {n: v for n, v in taken.items() if n not in images | {"COMPOSE_PROJECT_NAME"}}
