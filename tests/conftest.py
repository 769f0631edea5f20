"""What every test can ask for; the fixtures are in tests/fixtures/, one file per kind of server."""

import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No limits of time: what is slow on a busy machine is not wrong. A test that is worth more examples says so itself.
settings.register_profile("project", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.redis",
    "tests.fixtures.standin",
    "tests.fixtures.store",
    "tests.fixtures.ports",
]

# Collecting makes hundreds of thousands of objects that stay. Not looking for cycles among them meanwhile, and leaving
# them out of later rounds, takes a third off the collection and a seventh off the tests.
gc.disable()

_TESTS = Path(__file__).parent
_MARKERS_BY_FOLDER = {"integration": pytest.mark.integration, "e2e": pytest.mark.e2e}
_ORACLE_FIXTURE = "standin_server"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's folder says what it needs: no file has to repeat the marker."""
    for item in items:
        folder = item.path.relative_to(_TESTS).parts[0]
        if marker := _MARKERS_BY_FOLDER.get(folder):
            item.add_marker(marker)
        # What asks only for "an Oracle" can be shown one; tests of the stand-in itself start their own.
        if _ORACLE_FIXTURE in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.oracle)
    # Files of tests that kill and wait take longest: they come first, so that none is left running alone at the end.
    slow = {item.path for item in items if item.get_closest_marker("fault")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """From here on tests make objects that go again."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """At the end everything goes; libraries written in C complain about what stays."""
    gc.unfreeze()
