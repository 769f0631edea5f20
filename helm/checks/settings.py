"""The chart's settings and secrets against the services' own tables: nothing is missing, nothing is made up, and a
number or a word that the schema lets through is one that the service takes.
"""

import re
from collections.abc import Iterator
from typing import Any

from cli.migration import VARIABLES as MIGRATION
from control_plane.variables import VARIABLES as CONTROL_PLANE
from data_plane.settings import VARIABLES as DATA_PLANE
from helm.checks.chart_values import Values, schema
from helm.checks.places import CHART
from qg_core.environment import Variable
from worker.settings import VARIABLES as WORKER

SERVICES: dict[str, tuple[Variable, ...]] = {"controlPlane": CONTROL_PLANE, "dataPlane": DATA_PLANE, "worker": WORKER}

SET_BY_CHART = {"HOST", "PORT", "OPS_HOST", "OPS_PORT", "STATE_DIR"}
"""Listeners and places inside the pod; `listenAddress` and `service.port` are what users choose."""

PER_PROCESS = {"NODE_NAME", "WORKER_NAME", "QG_FAULT_POINT"}
"""One value for all pods of a service would be wrong; `extraEnv` reaches them (a name from a field of the pod)."""

_DEFAULT = re.compile(r'get \$settings "([A-Z_]+)" \| default ([0-9]+)')


def variables(service: str) -> dict[str, Variable]:
    """A service's variables by name."""
    return {variable.name: variable for variable in SERVICES[service]}


def allowed(service: str) -> dict[str, Values]:
    """What the schema says of each setting of a service."""
    return _properties(f"{service}Settings")


def shared() -> dict[str, Values]:
    """What it says of each setting that all services get."""
    return _properties("settings")


def _properties(definition: str) -> dict[str, Values]:
    definitions = schema()["definitions"]
    found = definitions[definition]["properties"]
    return {
        name: definitions[rule["$ref"].rsplit("/", 1)[1]] if "$ref" in rule else rule for name, rule in found.items()
    }


def findings() -> list[str]:
    """Everything in which chart and code differ."""
    return [*_names(), *_secrets(), *_bounds(), *_defaults()]


def _names() -> Iterator[str]:
    for service in SERVICES:
        known = {name for name, variable in variables(service).items() if not variable.secret}
        reachable = set(allowed(service)) | set(shared())
        for name in sorted(known - reachable - SET_BY_CHART - PER_PROCESS):
            yield f"{service} reads {name}, which no value of the chart sets: add it to {service}Settings in the schema"
        for name in sorted(reachable - known):
            yield f"{service} gets {name}, which it does not read"
        for name in sorted(reachable & (SET_BY_CHART | PER_PROCESS)):
            yield f"{service} lets users set {name}, which must not be the same for all pods or is set by the chart"


def _secrets() -> Iterator[str]:
    text = (CHART / "templates" / "_secrets.tpl").read_text(encoding="utf-8")
    for service, table in {**SERVICES, "migration": MIGRATION}.items():
        secret = {variable.name for variable in table if variable.secret}
        sources = schema()["definitions"][f"{service}Secrets"]["properties"]
        for place, rule in (
            ("from", sources["from"]),
            ("values", sources["values"]),
            ("remote", sources["externalSecret"]["properties"]["remote"]),
        ):
            if set(rule["properties"]) != secret:
                yield f"{service}.secrets: {place} has {sorted(rule['properties'])}, the service {sorted(secret)}"
        if not any(set(line.split()) == secret for line in text.splitlines()):
            yield f"{service}: no line of _secrets.tpl lists exactly {sorted(secret)}"


def _bounds() -> Iterator[str]:
    for service in SERVICES:
        for name, rule in {**shared(), **allowed(service)}.items():
            variable = variables(service).get(name)
            if variable is None:
                continue
            for text, taken in _probes(rule):
                if _takes(variable, text) != taken:
                    verdict = "lets" if taken else "does not let"
                    yield f"{service}: the schema {verdict} {name}={text} through, the service does otherwise"


def _probes(rule: Values) -> Iterator[tuple[str, bool]]:
    """Texts at the edges of what the schema allows, and whether it allows them."""
    if "minimum" in rule:
        yield str(rule["minimum"]), True
        yield str(rule["maximum"]), True
        if rule["minimum"] > 0:
            yield str(rule["minimum"] - 1), False
        yield str(rule["maximum"] + 1), False
    for word in rule.get("enum", ()):
        yield str(word), True
    if rule.get("type") == "boolean":
        yield from (("true", True), ("false", True))
    if "pattern" in rule and rule["pattern"] == "^off$":
        yield "off", True


def _takes(variable: Variable, text: str) -> bool:
    try:
        variable.parse(text)
    except ValueError:
        return False
    return True


def _defaults() -> Iterator[str]:
    """Numbers that templates reckon with where nothing is set must be the services' own defaults."""
    defaults: dict[str, Any] = {}
    for service in SERVICES:
        defaults.update({name: variable.default for name, variable in variables(service).items()})
    found = 0
    for path in sorted((CHART / "templates").glob("_*.tpl")):
        for name, number in _DEFAULT.findall(path.read_text(encoding="utf-8")):
            found += 1
            if defaults.get(name) != number:
                yield f"{path.name} takes {number} for {name}, the services {defaults.get(name)}"
    if found == 0:
        yield "no template reckons with a default any more: this check reads the wrong thing"
