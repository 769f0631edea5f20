"""JSON Schemas of custom resources, made from their published definitions (CRDs) and kept in `schemas/`.

    python -m helm.checks.custom_schemas CRD.yaml VERSION ORIGIN

writes one anew. Left out are texts, rules in CEL and fields that the chart never sets (`UNUSED`). What is left is
strict: a field that the schema doesn't know is refused, so a chart that begins to use one needs a wider schema first.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from helm.checks.places import CHECKS

FOLDER = CHECKS / "schemas"

UNUSED = {
    "ServiceMonitor": {
        "/spec": {
            "attachMetadata", "targetLabels", "podTargetLabels", "bodySizeLimit", "scrapeClass", "selectorMechanism",
        },
        "/spec/endpoints/[]": {
            "authorization", "basicAuth", "bearerTokenSecret", "oauth2", "tlsConfig", "noProxy", "proxyConnectHeader",
        },
    },
    # A pattern in RE2 syntax, which other validators do not read.
    "PrometheusRule": {"/spec/groups/[]": {"partial_response_strategy"}},
    "ScaledObject": {"/spec": {"initialCooldownPeriod"}},
    "HTTPRoute": {
        "/spec/rules/[]": {"filters", "retry", "sessionPersistence"},
        "/spec/rules/[]/backendRefs/[]": {"filters"},
        "/spec/rules/[]/matches/[]": {"headers", "queryParams"},
    },
    "ExternalSecret": {
        "/spec": {"dataFrom"},
        "/spec/target": {"template", "manifest"},
        "/spec/data/[]": {"sourceRef"},
    },
}  # fmt: skip
"""By kind: which fields of which place are left out. `[]` is an item of a list."""

KEPT = ("type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "required")
"""Keywords that are taken over as they are."""


def schema_of(definition: dict[str, Any], version: str, origin: str) -> dict[str, Any]:
    """The JSON Schema of `version` of a CRD. Raises `KeyError` when the CRD has no such version."""
    spec = definition["spec"]
    kind = spec["names"]["kind"]
    versions = {item["name"]: item["schema"]["openAPIV3Schema"] for item in spec["versions"]}
    properties = {
        "apiVersion": {"const": f"{spec['group']}/{version}"},
        "kind": {"const": kind},
        "metadata": {"type": "object"},
        "spec": _trimmed(versions[version]["properties"]["spec"], "/spec", UNUSED.get(kind, {})),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": f"From the definition in {origin}; see custom_schemas.py for what is left out.",
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": properties,
    }


def _trimmed(node: dict[str, Any], place: str, unused: dict[str, set[str]]) -> dict[str, Any]:
    found: dict[str, Any] = {keyword: node[keyword] for keyword in KEPT if keyword in node}
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if "properties" in node:
        left_out = unused.get(place, set())
        found["properties"] = {
            name: _trimmed(child, f"{place}/{name}", unused)
            for name, child in node["properties"].items()
            if name not in left_out
        }
        found["additionalProperties"] = bool(node.get("x-kubernetes-preserve-unknown-fields", False))
    elif isinstance(node.get("additionalProperties"), dict):
        found["additionalProperties"] = _trimmed(node["additionalProperties"], f"{place}/*", unused)
    if "items" in node:
        found["items"] = _trimmed(node["items"], f"{place}/[]", unused)
    return found


def custom_schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Every kept schema by `(apiVersion, kind)`."""
    found = {}
    for path in sorted(FOLDER.glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        found[schema["properties"]["apiVersion"]["const"], schema["properties"]["kind"]["const"]] = schema
    return found


def _write(crd: Path, version: str, origin: str) -> Path:
    definition = yaml.safe_load(crd.read_text(encoding="utf-8"))
    path = FOLDER / f"{definition['spec']['names']['kind']}.json"
    text = json.dumps(schema_of(definition, version, origin), indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{_write(Path(sys.argv[1]), sys.argv[2], sys.argv[3])}\n")
