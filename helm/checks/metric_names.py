"""Metrics and events that alerts and dashboard ask for exist: docs/metrics.md, and the events of the code."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from helm.checks.places import ALERTS, DASHBOARD, ROOT
from qg_telemetry.events import every_event

_ROW = re.compile(r"^\| `(qg_[a-z_]+)` \| (counter|gauge|histogram) \|", re.MULTILINE)
_EVENT = re.compile(r'event="([a-z_]+)"')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS = re.compile(r"\{[^}]*\}")
_LABELS = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)")
_WORD = re.compile(r"\b[a-zA-Z_][a-zA-Z0-9_]*\b(?!\s*\()")

PROCESS = {
    "up",
    "process_open_fds",
    "process_max_fds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
}
"""What scrapes and the process itself bring; the page names them as a group."""

_KEYWORDS = {"and", "or", "unless", "offset", "by", "on", "bool", "without", "ignoring"}


def documented() -> dict[str, str]:
    """The type of each metric of docs/metrics.md."""
    return dict(_ROW.findall((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")))


def known_series() -> set[str]:
    """Every name that can be asked for: a histogram is asked for by its parts."""
    found = set(PROCESS)
    for name, kind in documented().items():
        found |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return found


def metrics_in(expression: str) -> set[str]:
    """The names of the metrics that an expression asks for."""
    bare = re.sub(r"\[[^\]]*\]", "", _MATCHERS.sub("", expression))
    bare = _LABELS.sub("", _STRING.sub("", bare))
    bare = re.sub(r"\boffset\s+\S+", "", bare)
    return set(_WORD.findall(bare)) - _KEYWORDS


def known_events() -> set[str]:
    """The names of all events."""
    return {kind.event for kind in every_event()}


def findings_of(name: str, expression: str) -> list[str]:
    """What an expression asks for that isn't there."""
    asked = metrics_in(expression)
    found = [f"{name}: there is no metric {metric}" for metric in sorted(asked - known_series())]
    if not asked:
        found.append(f"{name}: asks for no metric")
    found += [
        f"{name}: there is no event {event}" for event in sorted(set(_EVENT.findall(expression)) - known_events())
    ]
    return found


def alert_rules() -> list[dict[str, Any]]:
    """Every alert of the chart."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_expressions(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and expression of every query of the dashboard."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def findings() -> list[str]:
    """What alerts and dashboard ask for that isn't there."""
    found = []
    for rule in alert_rules():
        found += findings_of(rule["alert"], re.sub(r"%[a-z-]+%", "", rule["expr"]))
    for title, expression in dashboard_expressions(json.loads(DASHBOARD.read_text(encoding="utf-8"))):
        found += findings_of(f"dashboard, {title}", expression)
    return found
