"""Which tables of the database the models don't name: the partitions of the access log."""

from collections.abc import Mapping
from typing import Any

_PARTITION_PREFIX = "access_log_"


def is_modelled(name: str | None, kind: str, parents: Mapping[Any, str | None]) -> bool:
    """Alembic's `include_name`: leave the partitions out when models and database are compared."""
    table = name if kind == "table" else parents.get("table_name")
    return not (table or "").startswith(_PARTITION_PREFIX)
