"""Whatever the Oracle library says happened has its event."""

from typing import Any

import msgspec
import pytest

from qg_oracle.events import OracleEvent
from qg_telemetry.events import retold

SAMPLES: dict[Any, Any] = {str: "text", int: 3, float: 2.5, bool: True}


@pytest.mark.parametrize("said_type", OracleEvent.__subclasses__(), ids=lambda said_type: said_type.__name__)
def test_it_is_retold_field_by_field(said_type: type[OracleEvent]) -> None:
    fields = msgspec.structs.fields(said_type)
    values: dict[str, Any] = {field.name: SAMPLES[field.type] for field in fields}
    said = said_type(**values)
    told = retold(said)
    assert type(told).__name__ == said_type.__name__
    assert msgspec.structs.asdict(told) == msgspec.structs.asdict(said)
