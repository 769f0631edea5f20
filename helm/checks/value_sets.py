"""The chart rendered with each of its value sets, once, and with secrets as values."""

from functools import cache
from typing import Any

from helm.checks.manifests import Manifest
from helm.checks.places import VALUE_SETS, value_set
from helm.checks.render import render
from helm.checks.trial import trial_values

Outcome = tuple[str, list[str]]
"""What a check looked at, and what it found."""

TRIAL = "trial"
"""The everything-on set with freshly made secrets as values, beside the sets of `ci/`."""


@cache
def values_of_trial() -> dict[str, Any]:
    """The secrets of this run's trial."""
    return trial_values()


@cache
def rendered(name: str) -> list[Manifest]:
    """The objects of one set. Don't change what you get: it is rendered once."""
    if name == TRIAL:
        return render([value_set("everything-on")], over=values_of_trial())
    return render([value_set(name)])


def all_rendered() -> dict[str, list[Manifest]]:
    """The objects of every set."""
    return {name: rendered(name) for name in (*VALUE_SETS, TRIAL)}


def told(found: dict[str, list[str]]) -> list[str]:
    """Findings of several sets as one list."""
    return [f"{name}: {finding}" for name, findings in found.items() for finding in findings]
