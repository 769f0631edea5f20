"""The SQL policy: what a statement must be to be saved, and which binds and tables it names.

Pure and synchronous: no I/O, no clock. This module holds what a check answers; `policy.check` is the check. Only
`policy` loads the parser (sqlglot), which costs time and memory and holds the interpreter while it works: no other
module of `qg_core` imports it, the data plane never does, and the control plane only in processes of its own
(`control_plane.sql_check`). docs/sql_policy.md is the description for people; docs/adr/0006 says why three layers.
"""

from .facts import SqlFacts
from .findings import SqlProblem, SqlRefused

__all__ = ["SqlFacts", "SqlProblem", "SqlRefused"]
