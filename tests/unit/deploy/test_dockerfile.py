"""What deploy/Dockerfile promises, as far as it can be read from it; tests/images tries the image itself."""

import re
from pathlib import Path

import pytest

from deploy.image.lock_part import entries, part

_ROOT = Path(__file__).resolve().parents[3]
_DOCKERFILE = _ROOT / "deploy" / "Dockerfile"
_DIGEST = re.compile(r"[a-z0-9./:_-]+:[\w.-]+@sha256:[0-9a-f]{64}")
_LOCKS = {
    "deploy/image/build.lock": "requirements-dev.lock",
    "deploy/image/standin.lock": "requirements-dev.lock",
    "deploy/local-images/postgres.lock": "requirements-dev.lock",
    "deploy/local-images/redis.lock": "requirements-dev.lock",
}


def _stages() -> dict[str, str]:
    """Stage names and their instructions, without comments, each instruction on one line."""
    text = "\n".join(line for line in _DOCKERFILE.read_text().splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text)
    parts = re.split(r"^FROM (\S+) AS (\S+)$", joined, flags=re.MULTILINE)
    return {parts[i + 1]: f"FROM {parts[i]}\n{parts[i + 2]}" for i in range(1, len(parts), 3)}


def test_the_default_base_image_is_named_by_digest() -> None:
    found = re.search(r"^ARG BASE_IMAGE=(.+)$", _DOCKERFILE.read_text(), re.MULTILINE)
    assert found
    assert _DIGEST.fullmatch(found[1])


def test_every_stage_begins_with_the_base_image_nothing_or_another_stage() -> None:
    stages = _stages()
    for name, text in stages.items():
        base = text.splitlines()[0].removeprefix("FROM ")
        assert base in {"${BASE_IMAGE}", "scratch", *stages}, name


def test_no_frontend_is_fetched() -> None:
    assert "syntax=" not in _DOCKERFILE.read_text()


def test_the_last_stage_is_the_production_image() -> None:
    stages = _stages()
    name, text = list(stages.items())[-1]
    assert name == "runtime"
    assert text.startswith("FROM gateway\n")
    assert "standin" not in text + stages["gateway"]


def test_the_image_runs_as_a_number_and_needs_no_shell() -> None:
    gateway = _stages()["gateway"]
    assert re.search(r"^USER 10001:10001$", gateway, re.MULTILINE)
    assert 'ENTRYPOINT ["querygateway"]' in gateway
    assert re.search(r'^HEALTHCHECK .* CMD \["python"', gateway, re.MULTILINE)
    assert not re.search(r"^RUN", gateway, re.MULTILINE)


def test_packages_come_as_wheels_with_hashes_or_from_the_build_itself() -> None:
    commands = re.findall(r"pip --python \S+ install (.+?)(?= &&|$)", "\n".join(_stages().values()), re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        own = "--no-index --no-deps" in command and "dist/*.whl" in command
        assert own or "--require-hashes --only-binary :all:" in command, command


def test_nothing_enters_the_build_but_what_is_named() -> None:
    lines = [line for line in (_ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert let_in == {
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "requirements.lock",
        "requirements-otel.lock",
        "libs",
        "services",
        "deploy/image",
        "deploy/stack",
    }


@pytest.mark.parametrize("name", _LOCKS)
def test_what_images_are_built_with_is_what_the_lock_says(name: str) -> None:
    """`make image-locks` after `make lock`."""
    text = (_ROOT / name).read_text()
    assert entries(text)
    assert text == part((_ROOT / _LOCKS[name]).read_text(), list(entries(text)))
