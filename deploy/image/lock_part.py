"""Take some packages out of a lock file, with their versions and hashes: `lock_part.py LOCK NAME ...`.

For what an image needs beside the production packages (the build backend, the stand-in's engine): the same versions
and hashes as in requirements-dev.lock, in a file that pip takes with --require-hashes.
"""

import re
import sys
from pathlib import Path

_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==")


def entries(lock: str) -> dict[str, str]:
    """Every entry of a lock file by its package's name: the requirement and its hashes, as they stand there."""
    found: dict[str, str] = {}
    name = ""
    for line in lock.splitlines():
        if line.startswith(("#", "-")) or not line.strip():
            continue
        if match := _NAME.match(line):
            name = match[1].lower()
            found[name] = line
        elif name:
            found[name] += "\n" + line
    return found


def part(lock: str, names: list[str]) -> str:
    """The entries of `names`, by name. Raises KeyError for one that is not in the lock."""
    known = entries(lock)
    return "".join(known[name.lower()] + "\n" for name in sorted(names))


if __name__ == "__main__":
    sys.stdout.write(part(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2:]))
