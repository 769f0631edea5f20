"""What the chart says of settings, secrets, metrics and events is what the code says; its README is its values'."""

import tomllib

import pytest
import yaml

from helm.checks import metric_names, readme, settings
from helm.checks.metric_names import alert_rules, findings_of, metrics_in
from helm.checks.places import CHART, ROOT
from qg_core.environment import Variable, integer


def test_every_setting_of_the_services_can_be_set_and_no_other() -> None:
    assert settings.findings() == []


def test_a_setting_that_the_chart_does_not_know_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Variable(name="NEW_LIMIT", field="new_limit", parse=integer(1, 2), description="New.", default="1")
    monkeypatch.setitem(settings.SERVICES, "worker", (*settings.SERVICES["worker"], new))
    assert [finding for finding in settings.findings() if "NEW_LIMIT" in finding] != []


def test_a_bound_that_the_service_does_not_share_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tuple(
        Variable(name=item.name, field=item.field, parse=integer(1, 9), description=item.description, default="4")
        if item.name == "MAX_JOB_CONCURRENCY"
        else item
        for item in settings.SERVICES["worker"]
    )
    monkeypatch.setitem(settings.SERVICES, "worker", changed)
    assert [finding for finding in settings.findings() if "MAX_JOB_CONCURRENCY=10" in finding] != []


def test_a_secret_that_the_chart_does_not_know_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Variable(name="NEW_KEY", field="new_key", parse=str, description="New.", secret=True)
    monkeypatch.setitem(settings.SERVICES, "dataPlane", (*settings.SERVICES["dataPlane"], new))
    assert len([finding for finding in settings.findings() if "NEW_KEY" in finding]) == 4


def test_alerts_and_dashboard_ask_for_metrics_and_events_that_exist() -> None:
    assert metric_names.findings() == []


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("sum(rate(qg_no_such_total[5m]))", "no metric qg_no_such_total"),
        ('increase(qg_events_total{event="no_such_event"}[5m]) > 0', "no event no_such_event"),
        ("qg_request_duration_seconds > 1", "no metric qg_request_duration_seconds"),
        ("1 > 0", "asks for no metric"),
    ],
)
def test_what_does_not_exist_is_found(expression: str, says: str) -> None:
    assert any(says in finding for finding in findings_of("x", expression))


def test_metrics_are_told_from_functions_labels_and_words() -> None:
    expression = 'sum by (job, pod) (rate(qg_rows_total{a="qg_b"}[5m])) / on (pod) max by (pod) (up offset 10m)'
    expression += " and qg_ready == 1 unless on () qg_revision"
    assert metrics_in(expression) == {"qg_rows_total", "up", "qg_ready", "qg_revision"}


def test_every_alert_says_what_it_means_and_how_bad_it_is() -> None:
    names = [rule["alert"] for rule in alert_rules()]
    assert len(names) == len(set(names))
    for rule in alert_rules():
        assert rule["alert"].startswith("QueryGateway")
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]


def test_the_readme_is_what_values_say() -> None:
    assert readme.findings() == []


def test_every_value_has_a_comment_or_belongs_to_one() -> None:
    rows = {row.key: row for row in readme.rows()}
    assert rows["image.digest"].text
    assert rows["dataPlane.autoscaling.behavior"].default == "see values.yaml"
    assert "dataPlane.autoscaling.behavior.scaleDown" not in rows
