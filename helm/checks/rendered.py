"""The checks of what helm makes of the chart. Each returns what it looked at and its findings."""

import os
import shutil
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from helm.checks import environments as environment_checks
from helm.checks import network, object_schemas, pod_security, references
from helm.checks import promtool as promtool_checks
from helm.checks.bad_values import BadValues
from helm.checks.bad_values import bad_values as all_bad_values
from helm.checks.chart_values import complete, laid_over, read
from helm.checks.manifests import Manifest, of_kind, pod_specs
from helm.checks.metric_names import alert_rules, findings_of
from helm.checks.places import CHART, VALUE_SETS, value_set
from helm.checks.render import NAMESPACE, RELEASE, Refused, helm, render
from helm.checks.trial import secret_texts, trial_values

Outcome = tuple[str, list[str]]

SECRET_LENGTH_MIN = 5
"""Shorter ones may be part of another word of a message."""

TRIAL = "trial"
"""The everything-on set with freshly made secrets as values, beside the sets of `ci/`."""


@cache
def _trial_values() -> dict[str, Any]:
    return trial_values()


@cache
def _rendered(name: str) -> list[Manifest]:
    if name == TRIAL:
        return render([value_set("everything-on")], over=_trial_values())
    return render([value_set(name)])


def _all() -> dict[str, list[Manifest]]:
    return {name: _rendered(name) for name in (*VALUE_SETS, TRIAL)}


def _told(found: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {finding}" for name, findings in found.items() for finding in findings]


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
    for name, manifests in _all().items():
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
    found = {name: pod_security.findings(manifests) for name, manifests in _all().items()}
    count = sum(len(list(pod_specs(manifests))) for manifests in _all().values())
    return f"{count} pods against the restricted standard", _told(found)


def networks() -> Outcome:
    """Who may talk to whom."""
    found = {name: network.findings(_rendered(name), complete(read(value_set(name)))) for name in VALUE_SETS}
    count = sum(len(of_kind(_rendered(name), "NetworkPolicy")) for name in VALUE_SETS)
    return f"{count} network policies", _told(found)


def fit() -> Outcome:
    """Whether the objects of a release fit each other."""
    found = {name: references.findings(manifests) for name, manifests in _all().items()}
    return f"names, selectors, ports, hooks, time to stop of {sum(map(len, _all().values()))} objects", _told(found)


def environments() -> Outcome:
    """What the pods' environments say, read by the services' own settings code where all secrets are at hand."""
    found = {
        name: environment_checks.findings(manifests, with_secrets=name == TRIAL) for name, manifests in _all().items()
    }
    return (
        f"environments of {len(_all()) * len(environment_checks.READERS)} workloads, 4 of them read by their service",
        _told(found),
    )


def secrets_stay_inside() -> Outcome:
    """A secret given as a value is in Secrets alone; without such values there is no Secret."""
    found = [f"{name}: makes a Secret" for name in VALUE_SETS if of_kind(_rendered(name), "Secret")]
    texts = secret_texts(_trial_values())
    made = of_kind(_rendered(TRIAL), "Secret")
    if len(made) != 4:
        found.append(f"{TRIAL}: {len(made)} Secrets instead of one for each service and one for the migration")
    for manifest in _rendered(TRIAL):
        text = yaml.safe_dump(manifest, width=100_000)
        if manifest["kind"] != "Secret" and any(secret in text for secret in texts):
            found.append(f"{TRIAL}: a secret is in {manifest['kind']}/{manifest['metadata']['name']}")
    return f"{len(texts)} secrets", found


def no_default_secret() -> Outcome:
    """The chart alone is refused, and so is a set that lacks the source of any one secret."""
    found, tried = [], 0
    minimal = read(value_set("minimal"))
    for service in ("controlPlane", "dataPlane", "worker", "migration"):
        tried += 1
        bare = laid_over(minimal, {service: {"secrets": {"existingSecret": ""}}})
        found += _must_be_refused(service, bare, "has no source")
    try:
        helm("template", RELEASE, str(CHART))
        found.append("the chart renders without any values")
    except Refused:
        tried += 1
    return f"{tried} sets of values without a source of secrets", found


def bad_values() -> Outcome:
    """Each of bad_values.yaml is refused, in words that say what is wrong, without repeating a secret."""
    found = []
    everything = all_bad_values()
    minimal = read(value_set("minimal"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Only to have the messages at hand below: nearly all of the time is helm's own.
        list(pool.map(lambda bad: _message(laid_over(minimal, bad.set)), everything))
    for bad in everything:
        values = laid_over(minimal, bad.set)
        found += _must_be_refused(bad.title, values, _words(bad), by_schema=bad.by_schema)
        for secret in secret_texts(bad.set):
            if len(secret) >= SECRET_LENGTH_MIN and secret in _message(values):
                found.append(f"{bad.title}: the message repeats the secret")
    by_schema = sum(bad.by_schema for bad in everything)
    return f"{by_schema} values refused by the schema, {len(everything) - by_schema} by the templates", found


def _words(bad: BadValues) -> str:
    """What helm's message must hold; its 3.18 line writes places with dots."""
    if bad.unknown is not None:
        return f"- {bad.at or '(root)'}: Additional property {bad.unknown} is not allowed"
    return f"- {bad.at}: " if bad.at is not None else str(bad.says)


@cache
def _message_of(text: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "values.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", str(file))
        except Refused as error:
            return str(error)
    return ""


def _message(values: dict[str, Any]) -> str:
    return _message_of(yaml.safe_dump(values))


def _must_be_refused(what: str, values: dict[str, Any], says: str, *, by_schema: bool = False) -> list[str]:
    message = _message(values)
    if not message:
        return [f"{what}: not refused"]
    if says not in message or ("specifications of the schema" in message) != by_schema:
        return [f"{what}: refused, but it says: {message}"]
    return []


def notes() -> Outcome:
    """NOTES.txt renders and says what to do next. helm shows it only on a cluster, so an object takes it along."""
    found = []
    for name in VALUE_SETS:
        text = _notes(name)
        expected = ("get pods", "/api/v1/auth/login", "/api/v1/data/<path>")
        found += [f"{name}: does not say {part!r}" for part in expected if part not in text]
        if ("image.digest is empty" in text) == bool(read(value_set(name))["image"].get("digest")):
            found.append(f"{name}: warns about the image's digest when it should not, or does not when it should")
        if "<no value>" in text or "\n\n\n" in text:
            found.append(f"{name}: has holes")
    return f"NOTES.txt of {len(VALUE_SETS)} value sets", found


_NOTES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {text: {{ include "notes" . | quote }}}
"""


def _notes(name: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        chart = Path(directory) / CHART.name
        shutil.copytree(CHART, chart)
        notes_file = chart / "templates" / "NOTES.txt"
        text = notes_file.read_text(encoding="utf-8")
        notes_file.unlink()
        (chart / "templates" / "_notes.tpl").write_text('{{- define "notes" }}' + text + "{{- end }}", encoding="utf-8")
        (chart / "templates" / "notes.yaml").write_text(_NOTES, encoding="utf-8")
        found = of_kind(render([value_set(name)], chart=chart), "ConfigMap")
        return next(str(item["data"]["text"]) for item in found if item["metadata"]["name"] == "notes")


def alerts() -> Outcome:
    """Rendered alerts ask for this release's series, and for nothing that isn't there."""
    found, count = [], 0
    for name in ("production", "everything-on"):
        disabled = read(value_set(name)).get("monitoring", {}).get("prometheusRule", {}).get("disabled", [])
        [rule] = of_kind(_rendered(name), "PrometheusRule")
        alerts_there = [alert for group in rule["spec"]["groups"] for alert in group["rules"] if "alert" in alert]
        count += len(alerts_there)
        expected = {alert["alert"] for alert in alert_rules()} - set(disabled)
        if {alert["alert"] for alert in alerts_there} != expected:
            found.append(f"{name}: other alerts than those of the file")
        for alert in alerts_there:
            found += [f"{name}: {finding}" for finding in findings_of(alert["alert"], alert["expr"])]
            if "%" in alert["expr"] or f'namespace="{NAMESPACE}"' not in alert["expr"]:
                found.append(f"{name}: {alert['alert']} does not ask for this release's series")
    return f"{count} rendered alerts", found


def promtool() -> Outcome:
    """What Prometheus itself says of alerts and dashboard."""
    if not promtool_checks.installed():
        return "NOT DONE: promtool is not installed, so no expression was parsed and no alert was tried", []
    [rule] = of_kind(_rendered("production"), "PrometheusRule")
    return "promtool check rules, and when alerts fire", promtool_checks.findings(rule)


def package() -> Outcome:
    """`helm package` works, and what it packs renders like the folder; the value sets stay out."""
    found = []
    with tempfile.TemporaryDirectory() as directory:
        helm("package", str(CHART), "--destination", directory)
        [archive] = Path(directory).glob("*.tgz")
        with tarfile.open(archive) as packed:
            names = packed.getnames()
        wanted = ["values.schema.json", "README.md", *(f"files/{file.name}" for file in (CHART / "files").iterdir())]
        found += [f"{archive.name}: lacks {name}" for name in wanted if f"{CHART.name}/{name}" not in names]
        found += [f"{archive.name}: packs {name}" for name in names if "/ci/" in name]
        if render([value_set("minimal")], chart=archive) != _rendered("minimal"):
            found.append(f"{archive.name}: renders something else than the folder")
        size_kib = archive.stat().st_size // 1024
    return f"{archive.name}, {len(names)} files, {size_kib} KiB", found
