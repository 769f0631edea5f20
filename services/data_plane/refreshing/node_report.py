"""What this node says of itself: made from what is known, written to Redis every few seconds and at each change."""

import os
import re
import secrets
import socket
from pathlib import Path

from qg_bundle.keys import NODE_NAME

NAME_FILE = "node_name"
SUFFIX_BYTES = 3
HOST_LENGTH_MAX = 48


def node_name(named: str | None, state_dir: Path) -> str:
    """This node's name: as set, else the host's with a random suffix that is kept in `state_dir`.

    When the directory can't be written the suffix lasts as long as the process.
    """
    if named:
        return named
    path = state_dir / NAME_FILE
    try:
        with path.open("r", encoding="ascii") as file:
            kept = file.read(128).strip()
        if NODE_NAME.fullmatch(kept):
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
