"""How this package writes its closed lists."""

from __future__ import annotations


def listed(names: str) -> frozenset[str]:
    """The names in `names`, which are separated by white space."""
    return frozenset(names.split())
