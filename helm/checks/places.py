"""Where things lie."""

from pathlib import Path

CHECKS = Path(__file__).resolve().parent
ROOT = CHECKS.parents[1]
CHART = ROOT / "helm" / "querygateway"
VALUES = CHART / "values.yaml"
SCHEMA = CHART / "values.schema.json"
README = CHART / "README.md"
ALERTS = CHART / "files" / "alerts.yaml"
DASHBOARD = CHART / "files" / "dashboard.json"
VALUE_SETS = ("minimal", "production", "existing-secrets", "everything-on", "egress-locked")


def value_set(name: str) -> Path:
    """The file of one of `VALUE_SETS`."""
    return CHART / "ci" / f"{name}-values.yaml"
