"""What a rendered chart consists of."""

from collections.abc import Iterator
from typing import Any

import yaml

Manifest = dict[str, Any]

_POD_TEMPLATES = {"Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"}


class ManifestsUnreadable(ValueError):
    """The text is not a stream of objects; the message says what is wrong."""


def manifests_in(text: str) -> list[Manifest]:
    """Every object of a stream of YAML documents. Raises `ManifestsUnreadable`."""
    try:
        found = [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document is not None]
    except yaml.YAMLError as error:
        raise ManifestsUnreadable(str(error)) from error
    for document in found:
        if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
            raise ManifestsUnreadable(f"not an object: {str(document)[:200]}")
    return found


def title(manifest: Manifest) -> str:
    """How a manifest is called in findings."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def component(manifest: Manifest) -> str:
    """Which part of the gateway it belongs to; empty for what is nobody's."""
    return str(manifest["metadata"].get("labels", {}).get("app.kubernetes.io/component", ""))


def pod_specs(manifests: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The title and the pod specification of everything that makes pods."""
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield title(manifest), manifest["spec"]
        elif manifest["kind"] in _POD_TEMPLATES:
            yield title(manifest), manifest["spec"]["template"]["spec"]
        elif manifest["kind"] == "CronJob":
            yield title(manifest), manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All containers of a pod, also those that run first or are put in later."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(key) or []


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Those of one kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]
