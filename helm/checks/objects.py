"""Checks of the objects that helm makes of the chart. Each returns what it looked at and its findings."""

import base64
import contextlib
import re
from typing import Any

import yaml

from helm.checks import environments as environment_checks
from helm.checks import network, object_schemas, pod_security, references
from helm.checks.chart_values import complete, read
from helm.checks.manifests import Manifest, component, of_kind, pod_specs, title
from helm.checks.places import CHART, VALUE_SETS, value_set
from helm.checks.render import NAMESPACE, Refused, helm, render
from helm.checks.trial import secret_texts
from helm.checks.value_sets import TRIAL, Outcome, all_rendered, rendered, told, values_of_trial

RELEASE_LONGEST = "r" * 53
"""Helm takes no longer name for a release."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


def lint() -> Outcome:
    """`helm lint --strict` with each value set."""
    found = []
    for name in VALUE_SETS:
        try:
            helm("lint", "--strict", str(CHART), "--namespace", NAMESPACE, "--values", str(value_set(name)))
        except Refused as error:
            found.append(f"{name}: {error}")
    return f"helm lint --strict with {len(VALUE_SETS)} value sets", found


def schemas() -> Outcome:
    """Every object against Kubernetes' schemas, or against the kept ones of custom resources."""
    found, core, custom, kinds = [], 0, 0, set()
    for name, manifests in all_rendered().items():
        for manifest in manifests:
            kinds.add((manifest["apiVersion"], manifest["kind"]))
            if object_schemas.is_custom(manifest):
                custom += 1
            else:
                core += 1
            for version in object_schemas.KUBERNETES_VERSIONS:
                found += [f"{name}: {finding}" for finding in object_schemas.findings(manifest, version)]
    versions = " and ".join(object_schemas.KUBERNETES_VERSIONS)
    wanted = {"ServiceMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute", "ExternalSecret"}
    found += [f"no value set renders a {kind}" for kind in sorted(wanted - {kind for _, kind in kinds})]
    return f"{core} core objects against Kubernetes {versions}, {custom} custom ones; {len(kinds)} kinds", found


def pods() -> Outcome:
    """Pod security "restricted", and the chart's own promises."""
    found = {name: pod_security.findings(manifests) for name, manifests in all_rendered().items()}
    count = sum(len(list(pod_specs(manifests))) for manifests in all_rendered().values())
    return f"{count} pods against the restricted standard", told(found)


def networks() -> Outcome:
    """Who may talk to whom."""
    found = {name: network.findings(rendered(name), complete(read(value_set(name)))) for name in VALUE_SETS}
    count = sum(len(of_kind(rendered(name), "NetworkPolicy")) for name in VALUE_SETS)
    return f"{count} network policies", told(found)


def fit() -> Outcome:
    """Whether the objects of a release fit each other."""
    releases = {**all_rendered(), "longest name": render([value_set("production")], release=RELEASE_LONGEST)}
    found = {name: references.findings(manifests) for name, manifests in releases.items()}
    return f"names, selectors, ports, hooks, time to stop of {sum(map(len, releases.values()))} objects", told(found)


def environments() -> Outcome:
    """What the pods' environments say, read by the services' own settings code where all secrets are at hand."""
    everything = all_rendered()
    found = {
        name: environment_checks.findings(manifests, with_secrets=name == TRIAL)
        for name, manifests in everything.items()
    }
    count = len(everything) * len(environment_checks.READERS)
    return f"environments of {count} workloads, 4 of them read by their service", told(found)


def replaced() -> Outcome:
    """Pods are replaced when settings or the generation of secrets change, each service's own alone."""
    found = []
    changes: tuple[tuple[str, dict[str, Any], set[str]], ...] = (
        ("a setting of all", {"settings": {"LOG_LEVEL": "ERROR"}}, {"control-plane", "data-plane", "worker"}),
        ("a setting of workers", {"worker": {"settings": {"SNAPSHOT_RETENTION_COUNT": 7}}}, {"worker"}),
        ("a generation of secrets", {"dataPlane": {"secrets": {"generation": "2"}}}, {"data-plane"}),
    )
    before = _templates(rendered("minimal"))
    for what, change, expected in changes:
        after = _templates(render([value_set("minimal")], over=change))
        changed = {name for name, template in after.items() if template != before[name]}
        if changed != expected:
            found.append(f"{what} replaces the pods of {sorted(changed)} instead of {sorted(expected)}")
    return f"{len(changes)} changes and whose pods they replace", found


def _templates(manifests: list[Manifest]) -> dict[str, Any]:
    workloads = [*of_kind(manifests, "Deployment"), *of_kind(manifests, "StatefulSet")]
    return {component(workload): workload["spec"]["template"] for workload in workloads}


def secrets_stay_inside() -> Outcome:
    """A secret given as a value is in Secrets alone; without such values there is no Secret."""
    found = [f"{name}: makes a Secret" for name in VALUE_SETS if of_kind(rendered(name), "Secret")]
    texts = secret_texts(values_of_trial())
    made = of_kind(rendered(TRIAL), "Secret")
    if len(made) != 4:
        found.append(f"{TRIAL}: {len(made)} Secrets instead of one for each service and one for the migration")
    for manifest in rendered(TRIAL):
        if manifest["kind"] != "Secret":
            text = _with_decoded(yaml.safe_dump(manifest, width=100_000))
            found += [f"{TRIAL}: a secret is in {title(manifest)}" for secret in texts if secret in text]
    return f"{len(texts)} secrets", found


def _with_decoded(text: str) -> str:
    """A text, and after it whatever in it is base64 of something."""
    found = [text]
    for part in _BASE64.findall(text):
        with contextlib.suppress(ValueError):
            found.append(base64.b64decode(part, validate=True).decode("utf-8", "replace"))
    return "\n".join(found)
