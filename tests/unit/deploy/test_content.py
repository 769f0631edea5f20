"""deploy/image/content.py finds what must not be in an image, in whichever layer it lies."""

from pathlib import Path
from typing import Any

import pytest

from deploy.image.content import findings, listing, main
from deploy.image.layers import open_image, visible
from tests.unit.deploy.saved_image import LOCK, WHOLESOME, save

_KEY = b"-----BEGIN EC PRIVATE KEY-----\n" + (b"QUFB" * 16 + b"\n") * 3 + b"-----END EC PRIVATE KEY-----\n"
_SITE = "opt/querygateway/lib/python3.11/site-packages"


def _found(path: Path, *layers: dict[str, bytes], **more: Any) -> list[str]:
    return list(findings(open_image(save(path / "image.tar", [dict(WHOLESOME), *layers], **more)), LOCK))


def test_a_wholesome_image_has_nothing_that_must_not_be_there(tmp_path: Path) -> None:
    assert _found(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("usr/bin/gcc-12", "a compiler"),
        ("usr/bin/x86_64-linux-gnu-ld", "a compiler"),
        ("usr/local/bin/make", "a compiler"),
        ("bin/sh", "a shell"),
        ("usr/bin/bash", "a shell"),
        ("usr/bin/apt-get", "a program that fetches"),
        ("usr/local/bin/pip3.11", "a program that fetches"),
        ("usr/include/stdio.h", "a header"),
        (f"{_SITE}/pip", "for development alone"),
        (f"{_SITE}/qg_standin", "for development alone"),
        (f"{_SITE}/left_pad-1.0.dist-info/METADATA", "not in the lock"),
        (f"{_SITE}/msgspec-0.21.0.dist-info/METADATA", "not in the lock"),
        ("app/.env", "named like a secret"),
        ("root/.ssh/id_ed25519", "named like a secret"),
        ("etc/pip.conf", "named like a secret"),
    ],
)
def test_what_must_not_be_there_is_found(tmp_path: Path, file: str, said: str) -> None:
    found = _found(tmp_path, {file: b""})
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (_KEY, "private key"),
        (b"aws = AKIA" + b"ABCDEFGH12345678\n", "cloud access key"),
        (b"t: ghp_" + b"a" * 36, "token of a code host"),
        (b"ENCRYPTION_KEY=" + b"A" * 43 + b"=\n", "key of this gateway"),
    ],
)
def test_contents_that_look_like_a_secret_are_found(tmp_path: Path, contents: bytes, said: str) -> None:
    found = _found(tmp_path, {"srv/notes.txt": contents})
    assert [said in line for line in found] == [True]


def test_what_a_later_layer_takes_away_is_found_all_the_same(tmp_path: Path) -> None:
    found = _found(tmp_path, {"srv/key": _KEY}, {"srv/.wh.key": b""})
    assert found == ["layer 1: /srv/key: holds a private key"]


def test_the_mark_of_a_key_without_one_is_no_secret(tmp_path: Path) -> None:
    source = b'if text.startswith("-----BEGIN PRIVATE KEY-----"):\n    return load(text)\n'
    assert _found(tmp_path, {f"{_SITE}/loader.py": source}) == []


def test_development_packages_of_the_system_are_found(tmp_path: Path) -> None:
    status = b"Package: libssl-dev\n\nPackage: libssl3\n\nPackage: binutils-common\n\n"
    found = _found(tmp_path, {"var/lib/dpkg/status": status})
    assert [line.split(":")[0] for line in found] == [
        "the system's package libssl-dev",
        "the system's package binutils-common",
    ]


@pytest.mark.parametrize(("mode", "said"), [(0o4755, "setuid"), (0o2755, "setuid"), (0o666, "everybody may write")])
def test_dangerous_modes_are_found(tmp_path: Path, mode: int, said: str) -> None:
    found = _found(tmp_path, {"srv/file": b""}, modes={"srv/file": mode})
    assert [said in line for line in found] == [True]


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"User": ""}, "the user ''"),
        ({"User": "0"}, "the user '0'"),
        ({"User": "root"}, "the user 'root'"),
        ({"Env": ["REDIS_PASSWORD=swordfish"]}, "REDIS_PASSWORD"),
        ({"Env": ["INDEX=https://me:secret@index.example/"]}, "INDEX"),
        ({"Labels": {"api_token": "x"}}, "api_token"),
        ({"Entrypoint": ["/bin/sh", "-c", "run"]}, "Entrypoint needs a shell"),
    ],
)
def test_what_the_image_says_of_itself_is_looked_at(tmp_path: Path, configuration: dict[str, Any], said: str) -> None:
    found = _found(tmp_path, configuration=configuration)
    assert [said in line for line in found] == [True]


def test_a_container_sees_what_no_later_layer_took_away(tmp_path: Path) -> None:
    layers = [{"a/one": b"", "a/two": b"", "b/three": b""}, {"a/.wh.two": b"", "b/.wh..wh..opq": b"", "b/four": b""}]
    image = open_image(save(tmp_path / "image.tar", layers))
    assert set(visible(image.files())) == {"a/one", "b/four"}


def test_the_command_lists_and_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "lock"
    lock.write_text(LOCK)
    good = save(tmp_path / "good.tar", [dict(WHOLESOME)])
    bad = save(tmp_path / "bad.tar", [dict(WHOLESOME), {"usr/bin/cc": b""}])
    assert "msgspec 0.22.0" in listing(open_image(good))
    assert main([str(good), "--lock", str(lock)]) == 0
    assert main([str(bad), "--lock", str(lock)]) == 1
    assert "NOT ALLOWED  layer 1: /usr/bin/cc: a compiler" in capsys.readouterr().out
