"""Which revisions of the schema this release knows: the numbers its migrations are filed under.

Without Alembic, which takes a third of a second to import: services ask this at every start, and migrate nothing.
"""

from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).parent / "migrations"


@cache
def known() -> tuple[str, ...]:
    """All of them in order, four digits each."""
    return tuple(sorted(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*_*.py")))


def head() -> str:
    """The newest one."""
    return known()[-1]


def is_known(revision: str) -> bool:
    """Whether it is one of this release's."""
    return revision in known()


def is_newer(revision: str) -> bool:
    """Whether a release after this one has made `revision`."""
    return len(revision) == len(head()) and revision.isascii() and revision.isdigit() and revision > head()
