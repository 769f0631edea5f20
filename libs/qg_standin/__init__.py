"""DEV ONLY: a server that speaks Oracle's wire protocol over an embedded engine, with the demo schema.

`python -m qg_standin --help` runs it alone; in a test it is `StandinServer(...)` with `start` and `stop`.
"""

from __future__ import annotations

from qg_standin.faults import Faults
from qg_standin.server import READER, WRITER, StandinServer

__all__ = ["READER", "WRITER", "Faults", "StandinServer"]
