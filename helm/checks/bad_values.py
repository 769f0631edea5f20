"""Values that the chart must refuse, and the words in which it has to."""

import secrets
from typing import Any

import msgspec
import yaml

from cli.key_material import new_values
from helm.checks.places import CHECKS


class BadValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to lay over the minimal set, and who refuses it: the schema (`at`), or the templates (`says`)."""

    set: dict[str, Any]
    at: str | None = None
    unknown: str | None = None
    says: str | None = None

    @property
    def title(self) -> str:
        """How it is called in findings."""
        return str(self.set)[:100]

    @property
    def by_schema(self) -> bool:
        """Whether the schema refuses it."""
        return self.at is not None


def bad_values() -> list[BadValues]:
    """All of bad_values.yaml, with keys and passwords made now."""
    text = (CHECKS / "bad_values.yaml").read_text(encoding="utf-8")
    text = text.replace("{fernet}", new_values()["ENCRYPTION_KEY"]).replace("{password}", secrets.token_hex(16))
    return msgspec.convert(yaml.safe_load(text), list[BadValues])
