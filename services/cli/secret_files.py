"""Files that hold a secret (`X_FILE`)."""

from pathlib import Path


def read_secret_file(name: str) -> str:
    """The text of a secret's file. Raises `OSError`, and `ValueError` when it is no text."""
    return Path(name).read_text(encoding="utf-8")
