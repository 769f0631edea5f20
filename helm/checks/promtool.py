"""Alerts and queries in the eyes of Prometheus itself, where its `promtool` is installed (Debian: `prometheus`)."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from helm.checks.metric_names import dashboard_expressions
from helm.checks.places import CHECKS, DASHBOARD

CASES = CHECKS / "alert_cases.yaml"
TIMEOUT_S = 60


def installed() -> bool:
    """Whether there is a promtool on PATH."""
    return shutil.which("promtool") is not None


def findings(rule: dict[str, Any]) -> list[str]:
    """What promtool objects to in a rendered PrometheusRule, in the cases of alert_cases.yaml and in the dashboard."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [
        {"record": f"panel:{number}", "expr": expression.replace("$namespace", "tenant").replace("$release", "gateway")}
        for number, (_, expression) in enumerate(dashboard_expressions(dashboard))
    ]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]), encoding="utf-8")
        panels = {"groups": [{"name": "dashboard", "rules": queries}]}
        (folder / "dashboard.yaml").write_text(yaml.safe_dump(panels), encoding="utf-8")
        shutil.copy(CASES, folder)
        return [
            *_objections(folder, "check", "rules", "rules.yaml", "dashboard.yaml"),
            *_objections(folder, "test", "rules", CASES.name),
        ]


def _objections(folder: Path, *arguments: str) -> list[str]:
    command = [shutil.which("promtool") or "promtool", *arguments]
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return [] if done.returncode == 0 else [f"promtool {' '.join(arguments)}: {done.stdout}{done.stderr}".strip()]
