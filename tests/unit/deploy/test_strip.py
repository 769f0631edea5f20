"""deploy/image/strip.py leaves Python, its libraries and an honest package database."""

from pathlib import Path

import pytest

from deploy.image.strip import loaded_libraries, programs_of, strip

_LIBRARIES = "usr/lib/x86_64-linux-gnu"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Debian with merged /usr, a little of everything."""
    for name in ("bin", "sbin", "lib"):
        (tmp_path / "usr" / name).mkdir(parents=True)
        (tmp_path / name).symlink_to(f"usr/{name}")
    files = {
        "usr/bin/python3.11": ["python3.11-minimal"],
        "usr/bin/dash": ["dash"],
        "usr/bin/apt-get": ["apt"],
        "etc/apt/sources.list": ["apt"],
        "etc/bash.bashrc": ["bash"],
        "usr/bin/bash": ["bash"],
        "usr/share/doc/bash/copyright": ["bash"],
        "usr/share/doc/zlib1g/copyright": ["zlib1g:amd64"],
        "usr/share/doc/zlib1g/changelog.gz": ["zlib1g:amd64"],
        f"{_LIBRARIES}/libz.so.1.2.13": ["zlib1g:amd64"],
        f"{_LIBRARIES}/libgnutls.so.30": ["libgnutls30:amd64"],
        f"{_LIBRARIES}/libc.so.6": ["libc6:amd64"],
        f"{_LIBRARIES}/libfoo.a": ["libfoo-dev:amd64"],
        "usr/lib/python3.11/json/__init__.py": ["libpython3.11-minimal:amd64"],
        "usr/lib/python3.11/ensurepip/__init__.py": ["python3.11-venv"],
        "usr/lib/python3/dist-packages/pip/__init__.py": ["python3-pip"],
        "usr/local/lib/python3.13/site-packages/pip/__init__.py": [],
        "usr/local/lib/python3.13/lib-dynload/nis.cpython-313-x86_64-linux-gnu.so": [],
        "tmp/left-over": [],
    }
    lists: dict[str, list[str]] = {}
    for path, owners in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
        for owner in owners:
            # As dpkg writes it, with the directories above, /lib being a link to one.
            lists.setdefault(owner, ["/.", "/lib", "/usr"]).append(f"/{path}")
    (tmp_path / _LIBRARIES / "libz.so.1").symlink_to("libz.so.1.2.13")
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    status = []
    for owner, lines in lists.items():
        (info / f"{owner}.list").write_text("\n".join(lines) + "\n")
        (info / f"{owner}.postinst").write_text("#!/bin/sh\n")
        name = owner.split(":")[0]
        status.append(f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0")
    (tmp_path / "var/lib/dpkg/status").write_text("\n\n".join(status) + "\n\n")
    needed = (tmp_path / _LIBRARIES / "libz.so.1.2.13").resolve()
    strip(tmp_path, frozenset({needed}))
    return tmp_path


def test_python_is_the_only_program(root: Path) -> None:
    assert [path.name for path in (root / "usr/bin").iterdir()] == ["python3.11"]


def test_libraries_stay_that_are_loaded_or_opened_by_name(root: Path) -> None:
    assert {path.name for path in (root / _LIBRARIES).iterdir()} == {"libz.so.1", "libz.so.1.2.13", "libc.so.6"}


def test_nothing_that_installs_is_left(root: Path) -> None:
    assert not list(root.rglob("*pip*"))
    assert not (root / "etc/apt").exists()
    assert not list(root.rglob("nis.*"))
    assert not list((root / "tmp").iterdir())


def test_links_to_directories_stay(root: Path) -> None:
    assert (root / "lib").is_symlink()
    assert (root / "lib" / "x86_64-linux-gnu" / "libc.so.6").is_file()


def test_the_package_database_names_what_is_left(root: Path) -> None:
    status = (root / "var/lib/dpkg/status").read_text()
    names = [line.removeprefix("Package: ") for line in status.splitlines() if line.startswith("Package: ")]
    assert names == ["python3.11-minimal", "zlib1g", "libc6", "libpython3.11-minimal"]
    left = {path.name for path in (root / "var/lib/dpkg/info").iterdir()}
    assert left == {
        "python3.11-minimal.list",
        "zlib1g:amd64.list",
        "libc6:amd64.list",
        "libpython3.11-minimal:amd64.list",
    }


def test_what_packages_that_are_gone_left_behind_is_gone_too(root: Path) -> None:
    assert not (root / "etc/bash.bashrc").exists()
    assert not (root / "usr/share/doc/bash").exists()


def test_licences_stay_with_what_they_are_for(root: Path) -> None:
    assert [path.name for path in (root / "usr/share/doc/zlib1g").iterdir()] == ["copyright"]


def test_the_dynamic_loader_says_what_this_python_needs() -> None:
    names = {path.name.split(".so")[0] for path in loaded_libraries(programs_of())}
    assert "libc" in names or "ld-musl" in names
