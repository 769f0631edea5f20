"""Manifests against schemas: Kubernetes' own by version, strictly, and those of custom resources kept in `schemas/`."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema_rs

from helm.checks.custom_schemas import custom_schemas
from helm.checks.manifests import Manifest, title

KUBERNETES_VERSIONS = ("1.29", "1.34")
_DEFINITIONS = "_definitions.json"


class SchemasMissing(RuntimeError):
    """The package with Kubernetes' schemas is not installed, or has no such version."""


@cache
def _folder(version: str) -> Path:
    spec = find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        raise SchemasMissing("kubernetes-validate is not installed")
    folder = Path(spec.origin).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    if not folder.is_dir():
        raise SchemasMissing(f"kubernetes-validate has no schemas of Kubernetes {version}")
    return folder


@cache
def _registry(version: str) -> Any:
    definitions = json.loads((_folder(version) / _DEFINITIONS).read_text(encoding="utf-8"))
    return jsonschema_rs.Registry([(_DEFINITIONS, definitions), (f"json-schema:///{_DEFINITIONS}", definitions)])


@cache
def _validator(version: str, api_version: str, kind: str) -> Any:
    """The validator of a core kind; null when that version of Kubernetes has none."""
    group, _, name = api_version.rpartition("/")
    file = f"{kind.lower()}-{group.split('.')[0]}-{name}.json" if group else f"{kind.lower()}-{name}.json"
    path = _folder(version) / file
    if not path.exists():
        return None
    return jsonschema_rs.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")), registry=_registry(version))


@cache
def _custom_validators() -> dict[tuple[str, str], Any]:
    return {key: jsonschema_rs.Draft7Validator(schema) for key, schema in custom_schemas().items()}


def is_custom(manifest: Manifest) -> bool:
    """Whether it is of a kind that only a custom definition knows."""
    return (manifest["apiVersion"], manifest["kind"]) in _custom_validators()


def findings(manifest: Manifest, version: str) -> list[str]:
    """What a version of Kubernetes would not take. A kind without any schema is a finding, never passed over."""
    custom = _custom_validators().get((manifest["apiVersion"], manifest["kind"]))
    validator = custom or _validator(version, manifest["apiVersion"], manifest["kind"])
    if validator is None:
        return [f"{title(manifest)}: Kubernetes {version} has no {manifest['apiVersion']} {manifest['kind']}"]
    # The packaged schemas let null through everywhere, and don't ask who the object is.
    found = [] if manifest["metadata"].get("name") else [f"{title(manifest)}: has no name"]
    return found + [
        f"{title(manifest)} (Kubernetes {version}) /{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in validator.iter_errors(manifest)
    ]
