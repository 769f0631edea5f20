"""What a process is called in reports, logs and stored rows, when nobody named it."""

import os
import re
import secrets
import socket
from pathlib import Path

SUFFIX_BYTES = 3
HOST_LENGTH_MAX = 48
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def kept_name(named: str | None, state_dir: Path, file_name: str) -> str:
    """The process's name: as set, else the host's with a random suffix that is kept in `state_dir` / `file_name`.

    When the directory can't be written the suffix lasts as long as the process.
    """
    if named:
        return named
    path = state_dir / file_name
    try:
        with path.open("r", encoding="ascii") as file:
            kept = file.read(128).strip()
        if NAME.fullmatch(kept):
            return kept
    except (OSError, UnicodeDecodeError):
        pass
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:HOST_LENGTH_MAX] or "node"
    name = f"{host}-{secrets.token_hex(SUFFIX_BYTES)}"
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = path.with_suffix(".new")
        with aside.open("w", encoding="ascii") as file:
            file.write(name)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        pass
    return name
