"""Programs that root starts as another user lie where nobody else can change them, or they are not started."""

import os
import stat
from pathlib import Path

import pytest

from qg_devstack.servers import binaries, run_as
from qg_devstack.servers.errors import UnsafePlace

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")


def test_a_directory_of_our_own_is_made_and_accepted_again(tmp_path: Path) -> None:
    place = tmp_path / "own"
    for _ in range(2):
        run_as.make_own_directory(place, 0o755)
    assert stat.S_IMODE(place.stat().st_mode) == 0o755


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "own").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePlace, match="no directory"):
        run_as.make_own_directory(tmp_path / "own", 0o755)


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "own"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(UnsafePlace, match="written by others"):
        run_as.make_own_directory(place, 0o755)


@as_root
def test_another_users_directory_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "own"
    place.mkdir()
    os.chown(place, 12_345, 12_345)
    with pytest.raises(UnsafePlace, match="another user"):
        run_as.make_own_directory(place, 0o755)


def test_a_closed_directory_for_temporary_files_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_as.reachable_root(lasting=True) in {Path("/var/tmp"), Path("/tmp")}


@as_root
def test_the_copy_of_postgres_can_be_read_by_all_and_changed_by_us_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "reachable_root", lambda *, lasting: tmp_path)
    programs = binaries.postgres_bin(for_other_user=True)
    assert os.access(programs / "postgres", os.X_OK)
    copy = next((tmp_path / f"qg-devstack-{os.geteuid()}").iterdir())
    for path in (copy, *copy.rglob("*")):
        if path.is_symlink():
            continue
        status = path.stat()
        assert status.st_uid == os.geteuid()
        assert not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH), path
        assert status.st_mode & stat.S_IROTH, path
    made = copy.stat().st_ino
    assert binaries.postgres_bin(for_other_user=True) == programs
    assert copy.stat().st_ino == made, "the second start copies nothing"
