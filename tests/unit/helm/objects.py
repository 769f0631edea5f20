"""Parts of manifests written by hand, as the chart would render them."""

from typing import Any

Manifest = dict[str, Any]


def labels(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "g", "app.kubernetes.io/instance": "r", "app.kubernetes.io/component": component}


def metadata(component: str, name: str | None = None) -> dict[str, Any]:
    return {"name": name or component, "labels": labels(component)}
