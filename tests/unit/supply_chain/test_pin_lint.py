"""Nothing from outside is used that is not pinned by hash and listed; the lint that says so finds what it should."""

import datetime
import shutil
from pathlib import Path

import msgspec
import pytest

from supply_chain import pin_lint, pins
from supply_chain.findings import ROOT
from supply_chain.images import images_in
from supply_chain.uses import uses_in, workflow_files

PINS = pins.read()
CHECKOUT = PINS.action("actions/checkout")
REDIS = next(pin for pin in PINS.images if pin.name == "redis")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of a part of what the lint reads: enough to break something in it."""
    for name in (".github/workflows/ci.yml", ".github/workflows/image.yml", "deploy/Dockerfile", "deploy/compose.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def all_messages(tree: Path) -> list[str]:
    return [str(finding) for finding in pin_lint.lint(tree, PINS)]


def messages(tree: Path) -> list[str]:
    """Without what only means that this is a part of the tree."""
    return [message for message in all_messages(tree) if not message.endswith("is listed, and nothing uses it")]


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_this_tree_has_nothing_to_put_right() -> None:
    assert all_messages(ROOT) == []
    uses = [use for path in workflow_files(ROOT) for use in uses_in(path, msgspec.yaml.decode(path.read_bytes()))]
    assert len(uses) > 40
    assert len(images_in(ROOT / "deploy" / "Dockerfile")) >= 1


@pytest.mark.parametrize("ref", ["v7", "v7.0.1", "main", "3d3c42e", "3d3c42e5aac5ba805825da76410c181273ba90b"])
def test_anything_but_a_full_commit_fails(tree: Path, ref: str) -> None:
    assert CHECKOUT is not None
    rewrite(tree / ".github/workflows/ci.yml", f"actions/checkout@{CHECKOUT.sha}", f"actions/checkout@{ref}")
    (message,) = messages(tree)
    assert message.startswith(".github/workflows/ci.yml:")
    assert "is not pinned to a full commit" in message


def test_a_commit_that_is_not_listed_fails(tree: Path) -> None:
    assert CHECKOUT is not None
    rewrite(tree / ".github/workflows/ci.yml", CHECKOUT.sha, "0" * 40)
    (message,) = messages(tree)
    assert f"not at {CHECKOUT.sha}" in message


def test_an_action_that_is_not_listed_fails(tree: Path) -> None:
    rewrite(tree / ".github/workflows/ci.yml", "actions/checkout@", "somebody/checkout@")
    assert any("somebody/checkout is not in supply_chain/pins.toml" in message for message in messages(tree))


def test_a_commit_known_to_be_malicious_fails(tree: Path) -> None:
    trivy = PINS.action("aquasecurity/trivy-action")
    assert trivy is not None
    rewrite(tree / ".github/workflows/image.yml", trivy.sha, "91e7c2c36dcad14149d8e455b960af62a2ffb275")
    assert any("must never be used" in message and "CVE-2026-33634" in message for message in messages(tree))


@pytest.mark.parametrize("name", ["tj-actions/changed-files", "TJ-Actions/Changed-Files"])
def test_an_action_that_was_taken_over_fails_at_any_commit(tree: Path, name: str) -> None:
    rewrite(tree / ".github/workflows/ci.yml", "actions/checkout@", f"{name}@")
    assert any("must never be used" in message for message in messages(tree))


def test_a_pin_without_the_comment_of_its_version_fails(tree: Path) -> None:
    assert CHECKOUT is not None
    rewrite(tree / ".github/workflows/ci.yml", f"{CHECKOUT.sha} # {CHECKOUT.version}", f"{CHECKOUT.sha} # v6.0.0")
    (message,) = messages(tree)
    assert f"needs the comment `# {CHECKOUT.version}`" in message


@pytest.mark.parametrize("step", ['      - {"uses": "actions/cache@v4"}', "      - uses:\n          actions/cache@v4"])
def test_a_reference_cannot_hide_in_another_spelling(tree: Path, step: str) -> None:
    rewrite(tree / ".github/workflows/ci.yml", "      - name: make test", f"{step}\n      - name: make test")
    (message,) = [message for message in messages(tree) if "actions/checkout" not in message][:1]
    assert "holds a `uses` that is not written as" in message or "actions/cache" in message


def test_what_is_listed_and_not_used_fails(tree: Path) -> None:
    (tree / "deploy/compose.yaml").unlink()
    unused = [
        message.split()[1] for message in all_messages(tree) if message.endswith("is listed, and nothing uses it")
    ]
    assert {"ossf/scorecard-action", f"redis:{REDIS.tag}"} <= set(unused)
    assert "actions/checkout" not in unused


def write_compose(tree: Path, image: str) -> None:
    (tree / "deploy" / "extra.compose.yaml").write_text(f"services:\n  cache:\n    image: {image}\n")


@pytest.mark.parametrize(
    "image", ["redis:8.10.2-alpine", "redis", "docker.io/library/redis:latest", '"${REDIS:-redis:8}"']
)
def test_an_image_without_digest_fails(tree: Path, image: str) -> None:
    write_compose(tree, image)
    (message,) = messages(tree)
    assert message.startswith("deploy/extra.compose.yaml:3: redis")
    assert "is not pinned by digest" in message


def test_an_image_by_a_listed_digest_passes_however_it_is_spelled(tree: Path) -> None:
    for spelling in ("redis", "docker.io/library/redis", "docker.io/redis:8.10.2-alpine"):
        write_compose(tree, f"{spelling}@{REDIS.digest}")
        assert messages(tree) == []
    write_compose(tree, f"${{REDIS_IMAGE:-redis@{REDIS.digest}}}")
    assert messages(tree) == []


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (f"redis:8.10.2-alpine@sha256:{'0' * 64}", "is not in supply_chain/pins.toml"),
        (f"evil/redis@{REDIS.digest}", "is redis in supply_chain/pins.toml, not evil/redis"),
        (f"redis:9@{REDIS.digest}", f"is {REDIS.tag} in supply_chain/pins.toml, not 9"),
    ],
)
def test_an_image_that_is_not_what_is_listed_fails(tree: Path, image: str, problem: str) -> None:
    write_compose(tree, image)
    (message,) = messages(tree)
    assert problem in message


def test_secrets_of_a_stack_on_this_machine_are_not_read(tree: Path) -> None:
    secrets = tree / "deploy" / "secrets"
    secrets.mkdir()
    (secrets / "redis_users").write_text("image: redis:8\n")
    assert messages(tree) == []


def test_a_dockerfile_cannot_build_on_a_tag(tree: Path) -> None:
    (tree / "deploy" / "Dockerfile").write_text(
        "ARG BASE_IMAGE=python:3.13-slim\nFROM ${BASE_IMAGE} AS build\nFROM debian:12 AS other\n"
        "FROM build\nCOPY --from=busybox:1 / /\nCOPY --from=build / /\n"
    )
    found = [message for message in messages(tree) if message.startswith("deploy/Dockerfile")]
    assert [message.partition(": ")[2] for message in found] == [
        "python:3.13-slim is not pinned by digest",
        "debian:12 is not pinned by digest",
        "busybox:1 is not pinned by digest",
    ]


def test_no_action_of_the_lowest_grade_can_be_listed() -> None:
    entry = {
        "name": "a/b",
        "sha": "0" * 40,
        "version": "v1.0.0",
        "seen": datetime.date(2026, 1, 1),
        "evidence": "ten files",
    }
    msgspec.convert(entry | {"grade": "B", "evidence": "two projects"}, pins.ActionPin)
    with pytest.raises(msgspec.ValidationError, match="grade"):
        msgspec.convert(entry | {"grade": "C", "evidence": "two projects"}, pins.ActionPin)
