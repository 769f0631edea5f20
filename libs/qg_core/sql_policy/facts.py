"""What a statement that passed the policy names."""

from __future__ import annotations

import msgspec


class SqlFacts(msgspec.Struct, frozen=True):
    """What an accepted statement names.

    `binds`: lower case, distinct, in order of first appearance. `tables`: as Oracle stores the names
    (`SCHEMA.TABLE` or `TABLE`), distinct, in order of first appearance, without CTEs. `columns`: names that are columns
    only if the tables have them; where they don't, Oracle would look for a function of that name (docs/sql_policy.md).
    """

    binds: tuple[str, ...]
    tables: tuple[str, ...]
    columns: tuple[str, ...]
