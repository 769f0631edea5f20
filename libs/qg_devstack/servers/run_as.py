"""Which user Postgres runs as (it refuses root), and places that this user can reach and nobody else can change."""

import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import UnsafePlace

# Present on every Linux and macOS. initdb looks its user up in the password database, so a free uid would not do.
_UNPRIVILEGED = ("nobody", "daemon")


@dataclass(frozen=True)
class RunAs:
    """The user a server drops to."""

    name: str
    uid: int
    gid: int


def unprivileged_user() -> RunAs | None:
    """Whom Postgres runs as: None (ourselves) unless we are root. Raises UnsafePlace when no such user exists."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid > 0:
            # macOS has nobody as uid -2, which Python shows as 4294967294.
            return RunAs(name, entry.pw_uid, entry.pw_gid)
    raise UnsafePlace(f"Postgres refuses to run as root and none of {', '.join(_UNPRIVILEGED)} exists here")


def reachable_root(*, lasting: bool) -> Path:
    """A directory that every user can reach and where nobody can replace what we make; `lasting` ones first.

    The clone, TMPDIR or the home may lie under a 0700 directory: each ancestor is checked. Raises UnsafePlace.
    """
    first, second = ("/var/tmp", "/tmp") if lasting else ("/tmp", "/var/tmp")  # noqa: S108 - checked below
    for candidate in (Path(tempfile.gettempdir()), Path(first), Path(second)):
        if candidate.is_dir() and not why_unsuitable(candidate.resolve()):
            return candidate.resolve()
    raise UnsafePlace(f"neither {tempfile.gettempdir()} nor /tmp nor /var/tmp can be reached by other users")


def why_unsuitable(place: Path) -> str | None:
    """Why other users can't reach a directory, or could replace what we make there; null when neither is so."""
    for directory in (place, *place.parents):
        status = directory.stat()
        if status.st_uid not in (0, os.geteuid()):
            return f"{directory} belongs to somebody else"
        if not status.st_mode & stat.S_IXOTH:
            return f"{directory} can't be passed by other users"
        if status.st_mode & (stat.S_IWOTH | stat.S_IWGRP) and not status.st_mode & stat.S_ISVTX:
            return f"{directory} can be changed by other users"
    return None


def make_own_directory(path: Path, mode: int) -> None:
    """Make `path`, or accept it when it is ours alone: owned by us, no link, not writable by others.

    Raises UnsafePlace otherwise: another local user who was first could plant a program there.
    """
    try:
        path.mkdir(mode=mode)
        path.chmod(mode)  # whatever the umask
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise UnsafePlace(f"{path} is no directory") from None
        if status.st_uid != os.geteuid():
            raise UnsafePlace(f"{path} belongs to another user") from None
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UnsafePlace(f"{path} can be written by others") from None
