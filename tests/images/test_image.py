"""The production image: what is in it, and that it runs without rights, without a shell and without writing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.images.docker import ROOT, docker

pytestmark = pytest.mark.long

_CLOSED = ("--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true")


@pytest.fixture(scope="session")
def configuration(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]
    return found


def _content(image: str, directory: Path) -> subprocess.CompletedProcess[str]:
    archive = directory / "image.tar"
    docker("save", "--output", str(archive), image)
    return subprocess.run(
        [sys.executable, "-m", "deploy.image.content", str(archive)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=ROOT,
    )


def test_nothing_is_in_it_that_must_not_be(image: str, tmp_path: Path) -> None:
    looked = _content(image, tmp_path)
    assert looked.returncode == 0, looked.stdout
    assert looked.stdout.endswith("nothing that must not be there\n")
    assert "querygateway 0.1.0" in looked.stdout


@pytest.fixture
def spoiled(image: str, tmp_path: Path) -> Iterator[str]:
    """The image with a key that a later layer removed, a compiler, a package too many, a password in a variable."""
    key = "-----BEGIN PRIVATE KEY-----\n" + ("QUFB" * 16 + "\n") * 3 + "-----END PRIVATE KEY-----\n"
    site = "/opt/querygateway/lib/python3.11/site-packages"
    (tmp_path / "key").write_text(key)
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.1\nName: stowaway\nVersion: 1.0\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {image}\n"
        "USER 0:0\n"
        "COPY key /opt/key\n"
        "COPY METADATA /usr/bin/gcc\n"
        f"COPY METADATA {site}/stowaway-1.0.dist-info/METADATA\n"
        'RUN ["/opt/querygateway/bin/python", "-c", "import os; os.remove(\'/opt/key\')"]\n'
        "ENV REDIS_PASSWORD=swordfish\n"
    )
    tag = f"{image}-spoiled"
    docker("build", "--quiet", "--tag", tag, str(tmp_path))
    yield tag
    docker("rmi", "--force", tag)


def test_what_must_not_be_in_it_is_found_in_every_layer(spoiled: str, tmp_path: Path) -> None:
    looked = _content(spoiled, tmp_path)
    assert looked.returncode == 1
    for told in (
        "/opt/key: holds a private key",
        "/usr/bin/gcc: a compiler",
        "the Python package stowaway 1.0: not in the lock",
        "the variable or label REDIS_PASSWORD",
        "the user '0:0'",
    ):
        assert told in looked.stdout, told


def test_it_says_what_it_is(configuration: dict[str, Any]) -> None:
    labels = configuration["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert len(labels["org.opencontainers.image.revision"]) == 40
    assert labels["org.opencontainers.image.base.name"]


def test_it_runs_as_a_number_and_without_a_shell(image: str, configuration: dict[str, Any]) -> None:
    assert configuration["User"] == "10001:10001"
    assert configuration["Entrypoint"] == ["querygateway"]
    refused = docker("run", *_CLOSED, "--entrypoint", "/bin/sh", image, "-c", "true", check=False)
    assert refused.returncode == 127


def test_a_command_runs_with_a_read_only_root_and_no_network(image: str) -> None:
    assert docker("run", *_CLOSED, image, "--version").stdout == "querygateway 0.1.0\n"
    keys = docker("run", *_CLOSED, image, "keys", "new", "--format", "json").stdout
    assert set(json.loads(keys)) >= {"GATEWAY_ID", "BUNDLE_SIGNING_KEY", "JWT_SECRET_KEY"}


@pytest.mark.parametrize("user", ["4711:4711", "1000900000:0"])
def test_it_runs_as_whoever_the_platform_says(image: str, user: str) -> None:
    assert docker("run", *_CLOSED, "--user", user, image, "--version").stdout == "querygateway 0.1.0\n"


@pytest.mark.parametrize("service", ["control-plane", "data-plane", "worker"])
def test_every_service_is_there_and_names_what_it_lacks(image: str, service: str) -> None:
    refused = docker("run", *_CLOSED, image, service, check=False)
    assert refused.returncode == 2
    assert "GATEWAY_ID: is required" in refused.stderr


def test_its_user_can_write_nowhere_but_to_the_state_directory(image: str) -> None:
    program = (
        "import os\n"
        "found = [place for place, _, _ in os.walk('/') if os.access(place, os.W_OK)]\n"
        "print(*(place for place in found if not place.startswith(('/proc', '/sys', '/dev'))))"
    )
    writable = docker("run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", program).stdout.split()
    assert set(writable) <= {"/var/lib/querygateway", "/tmp", "/var/tmp", "/run/lock"}
    assert "/var/lib/querygateway" in writable


def test_python_modules_are_compiled_already(image: str) -> None:
    program = (
        "import sys, importlib.util as u, os\n"
        "import data_plane.app, control_plane.app, worker.app\n"
        "names = [getattr(module, '__file__', None) or '' for module in list(sys.modules.values())]\n"
        "files = [name for name in names if name.endswith('.py')]\n"
        "print(len(files), [f for f in files if not os.path.exists(u.cache_from_source(f))])"
    )
    count, _, missing = docker("run", *_CLOSED, "--entrypoint", "python", image, "-c", program).stdout.partition(" ")
    assert int(count) > 500
    assert missing.strip() == "[]"
