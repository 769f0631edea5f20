"""The demo schema."""

from qg_standin.catalog import Catalog
from qg_standin.engine import EngineSession


def load_demo(engine: EngineSession, catalog: Catalog, scale: float) -> None:
    """Create it."""
