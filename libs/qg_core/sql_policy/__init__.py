"""The SQL policy: what a statement must be to be saved, and which binds and tables it names.

Pure and synchronous: no I/O, no clock. It loads the parser (sqlglot), so no other module of `qg_core` imports it and
the data plane never does. Parsing holds the interpreter: callers with an event loop run it in another process
(`control_plane.sql_check`). docs/sql_policy.md is the description for people; docs/adr/0006 says why three layers.
"""

from .findings import SqlProblem, SqlRefused
from .policy import SqlFacts, check

__all__ = ["SqlFacts", "SqlProblem", "SqlRefused", "check"]
