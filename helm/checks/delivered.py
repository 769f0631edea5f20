"""Checks of what comes beside the objects: notes, alerts, dashboard, and the package itself."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from helm.checks import promtool as promtool_checks
from helm.checks.chart_values import read
from helm.checks.manifests import of_kind
from helm.checks.metric_names import alert_rules, findings_of
from helm.checks.places import CHART, VALUE_SETS, value_set
from helm.checks.render import NAMESPACE, helm, render
from helm.checks.value_sets import Outcome, rendered

NOT_DONE = "NOT DONE"
"""How the words of a check begin that could not be made here."""


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
        [rule] = of_kind(rendered(name), "PrometheusRule")
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
        return f"{NOT_DONE}: promtool is not installed, so no expression was parsed and no alert was tried", []
    [rule] = of_kind(rendered("production"), "PrometheusRule")
    return "promtool check rules, and when alerts fire", promtool_checks.findings(rule)


def package() -> Outcome:
    """`helm package` works, and what it packs renders like the folder; the value sets stay out."""
    found = []
    with tempfile.TemporaryDirectory() as directory:
        helm("package", str(CHART), "--destination", directory)
        [archive] = Path(directory).glob("*.tgz")
        with tarfile.open(archive) as packed:
            names = packed.getnames()
        wanted = ["values.schema.json", "README.md", *(f"files/{file.name}" for file in (CHART / "files").glob("*.*"))]
        found += [f"{archive.name}: lacks {name}" for name in wanted if f"{CHART.name}/{name}" not in names]
        found += [f"{archive.name}: packs {name}" for name in names if "/ci/" in name]
        if render([value_set("minimal")], chart=archive) != rendered("minimal"):
            found.append(f"{archive.name}: renders something else than the folder")
        size_kib = archive.stat().st_size // 1024
    return f"{archive.name}, {len(names)} files, {size_kib} KiB", found
