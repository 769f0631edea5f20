"""The spool: private, emptied of what the dead left, never of what the living hold."""

import stat
from pathlib import Path

import pytest

from qg_core.snapshots import PIECE_BYTES, ZSTD
from worker.snapshots.refusals import SpoolFailed
from worker.snapshots.spool import Spool


def test_files_are_private_and_gone_in_the_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "state" / "spool").stat().st_mode) == 0o700
    with spool.files("run") as files:
        files.sinks[ZSTD].write(b"x" * (PIECE_BYTES + 3))
        files.flush()
        assert len(files.piece(ZSTD, 0)) == PIECE_BYTES
        assert files.piece(ZSTD, 1) == b"xxx"
        assert files.piece(ZSTD, 2) == b""
    assert not list((tmp_path / "state" / "spool").glob("*/run-*"))
    spool.close()
    assert not list((tmp_path / "state" / "spool").iterdir())


def test_only_what_nobody_holds_is_removed(tmp_path: Path) -> None:
    living = Spool(tmp_path)
    left = tmp_path / "spool" / "left"
    left.mkdir()
    (left / "lock").touch()
    (left / "something").write_bytes(b"x")
    (tmp_path / "spool" / "a file").write_bytes(b"x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "spool" / "a link").symlink_to(elsewhere)
    with living.files("run"):
        other = Spool(tmp_path)
        assert len(list((tmp_path / "spool").iterdir())) == 2
        assert list((tmp_path / "spool").glob("*/run-*"))
        assert elsewhere.is_dir()
        other.close()
    living.close()


def test_a_spool_that_is_gone_fails_the_run(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for directory in (tmp_path / "spool").iterdir():
        (directory / "lock").unlink()
        directory.rmdir()
    with pytest.raises(SpoolFailed, match="STATE_DIR"), spool.files("run"):
        pass
    spool.close()
