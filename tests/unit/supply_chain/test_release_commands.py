"""What the release commands ask docker, helm, cosign and gh, with programs that write down what they were asked."""

import hashlib
import os
from pathlib import Path

import pytest

from supply_chain import place, release
from tests.support.programs import make_program

DIGEST = f"sha256:{'a' * 64}"
IMAGE = place.read().image
CHART = place.read().chart


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with what was asked; build/ lies in `tmp_path`."""
    record = tmp_path / "asked"
    answers = {
        "docker": f'case "$1" in inspect) echo other.example/x@sha256:0; echo {IMAGE}@{DIGEST};; esac',
        "helm": f"echo Pushed; echo Digest: {DIGEST}",
        "cosign": "true",
        "gh": "true",
    }
    (tmp_path / "bin").mkdir()
    for name, answer in answers.items():
        make_program(tmp_path / "bin", name, f'echo "{name} $@" >> {record}\n{answer}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for name in ("IMAGE_TAR", "CHART_FOLDER", "RELEASE_FOLDER"):
        monkeypatch.setattr(release, name, tmp_path / "build" / name.lower())
    return record


def test_an_image_is_pushed_by_its_version_and_signed_by_its_digest(asked: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert release.image_push({"RELEASE_TAG": "v1.2.3", "GITHUB_OUTPUT": str(output)}) == 0
    assert output.read_text() == f"digest={DIGEST}\n"
    assert release.image_sign({"DIGEST": DIGEST}) == 0
    assert [line for line in asked.read_text().splitlines() if "inspect" not in line] == [
        f"docker load --input {tmp_path}/build/image_tar",
        f"docker tag querygateway:local {IMAGE}:1.2.3",
        f"docker push {IMAGE}:1.2.3",
        f"cosign sign --yes {IMAGE}@{DIGEST}",
    ]


def test_a_chart_is_signed_as_it_was_pushed(asked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "build" / "chart_folder"
    folder.mkdir(parents=True)
    (folder / "querygateway-1.2.3.tgz").write_bytes(b"chart")
    assert release.chart_push({}) == 0
    assert release.chart_sign({}) == 0
    assert release.chart_verify({}) == 0
    with pytest.raises(SystemExit, match="DIGEST must be"):
        release.image_sign({})
    assert asked.read_text().splitlines()[:2] == [
        f"helm push {folder}/querygateway-1.2.3.tgz oci://{CHART.rpartition('/')[0]}",
        f"cosign sign --yes {CHART}@{DIGEST}",
    ]
    verified = asked.read_text().splitlines()[2:]
    assert [line.split()[1] for line in verified] == ["verify", "verify-attestation"]
    assert all(line.endswith(f" {CHART}@{DIGEST}") and "/chart\\.yml@refs/tags/" in line for line in verified)


def test_nothing_goes_on_after_a_command_that_failed(asked: Path, tmp_path: Path) -> None:
    make_program(tmp_path / "bin", "docker", f'echo "docker $@" >> {asked}\n[ "$1" != push ]')
    with pytest.raises(SystemExit):
        release.image_push({"RELEASE_TAG": "v1.2.3"})
    assert asked.read_text().splitlines()[-1] == f"docker push {IMAGE}:1.2.3"


def test_a_push_that_says_no_digest_fails(asked: Path, tmp_path: Path) -> None:
    make_program(tmp_path / "bin", "docker", "true")
    with pytest.raises(SystemExit, match="no digest"):
        release.image_push({"RELEASE_TAG": "v1.2.3"})


def test_the_files_of_a_release_have_checksums(asked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "build" / "release_folder"
    folder.mkdir(parents=True)
    (folder / "chart.tgz").write_bytes(b"chart")
    assert release.files({"DIGEST": DIGEST}) == 0
    assert release.files({"DIGEST": DIGEST}) == 0
    assert (folder / "SHA256SUMS").read_text().splitlines() == [
        f"{hashlib.sha256(b'chart').hexdigest()}  chart.tgz",
        f"{hashlib.sha256(f'{IMAGE}@{DIGEST}'.encode() + bytes([10])).hexdigest()}  image.digest",
    ]
    assert release.publish({"RELEASE_TAG": "v1.2.3"}) == 0
    assert asked.read_text().startswith("gh release create v1.2.3 --verify-tag ")
    assert all(str(folder / name) in asked.read_text() for name in ("SHA256SUMS", "chart.tgz", "image.digest"))


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["check", "more"]])
def test_only_known_commands_run(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="usage"):
        release.main(arguments)
