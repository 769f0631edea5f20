"""The values that helm would hand to the templates: the defaults with a value set laid over them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from helm.checks.places import SCHEMA, VALUES

Values = dict[str, Any]

KEY_OF = {"control-plane": "controlPlane", "data-plane": "dataPlane", "worker": "worker"}
"""Under which key the values of each service stand."""


@cache
def read(path: Path) -> Values:
    """A file of values. Don't change what you get: it is read once."""
    found: Values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def laid_over(below: Values, above: Values) -> Values:
    """Maps are joined key by key, everything else is replaced; null takes a key away. That is what helm does."""
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = laid_over(merged[key], value)
        else:
            merged[key] = value
    return merged


def complete(above: Values) -> Values:
    """`above` laid over the chart's defaults."""
    return laid_over(read(VALUES), above)


@cache
def schema() -> Values:
    """values.schema.json."""
    found: Values = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


def problems(values: Values) -> list[str]:
    """What values.schema.json says against `values`, each with its place; empty when nothing."""
    errors = _validator().iter_errors(values)
    return [f"/{'/'.join(map(str, error.instance_path))}: {error.message}" for error in errors]


@cache
def _validator() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(schema())
