"""Manifests against schemas: Kubernetes' own by version, strictly, and those of custom resources kept in `schemas/`."""

import json
import zipfile
from functools import cache
from typing import Any

import jsonschema_rs

from helm.checks.custom_schemas import custom_schemas
from helm.checks.helm_tool import SCHEMAS
from helm.checks.manifests import Manifest, title

KUBERNETES_VERSIONS = ("1.29", "1.34")
_DEFINITIONS = "_definitions.json"


class SchemasMissing(RuntimeError):
    """The wheel with Kubernetes' schemas is not there, or has no such version."""


def available() -> bool:
    """Whether Kubernetes' schemas were fetched."""
    return SCHEMAS.exists()


@cache
def _wheel() -> zipfile.ZipFile:
    if not available():
        raise SchemasMissing("Kubernetes' schemas are not there: `make helm-tools` fetches them")
    return zipfile.ZipFile(SCHEMAS)


def _read(version: str, file: str) -> Any:
    """A schema of that version; null when there is none of that name."""
    folder = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict/"
    if folder + _DEFINITIONS not in _wheel().NameToInfo:
        raise SchemasMissing(f"{SCHEMAS.name} has no schemas of Kubernetes {version}")
    return json.loads(_wheel().read(folder + file)) if folder + file in _wheel().NameToInfo else None


@cache
def _registry(version: str) -> Any:
    definitions = _read(version, _DEFINITIONS)
    return jsonschema_rs.Registry([(_DEFINITIONS, definitions), (f"json-schema:///{_DEFINITIONS}", definitions)])


@cache
def _validator(version: str, api_version: str, kind: str) -> Any:
    """The validator of a core kind; null when that version of Kubernetes has none."""
    group, _, name = api_version.rpartition("/")
    file = f"{kind.lower()}-{group.split('.')[0]}-{name}.json" if group else f"{kind.lower()}-{name}.json"
    schema = _read(version, file)
    return None if schema is None else jsonschema_rs.Draft202012Validator(schema, registry=_registry(version))


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
