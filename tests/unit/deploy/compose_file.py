"""deploy/compose.yaml as Compose reads it, as far as the checks need it."""

import re
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?\}")


def read(name: str, environ: dict[str, str] | None = None) -> dict[str, Any]:
    """The file with its variables replaced: by `environ`, else by their defaults."""
    given = environ or {}

    def value(match: re.Match[str]) -> str:
        return given.get(match[1], match[2] or "")

    loaded: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, (DEPLOY / name).read_text()))
    return loaded


def variables(name: str) -> dict[str, str]:
    """Every variable that the file takes, and its default."""
    return {match[1]: match[2] or "" for match in _VARIABLE.finditer((DEPLOY / name).read_text())}
