"""Schemas of Kubernetes and of custom resources refuse what a cluster would, and what is no object is not read."""

from typing import Any

import pytest

from helm.checks import object_schemas
from helm.checks.manifests import ManifestsUnreadable, manifests_in

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "x"},
    "spec": {"selector": {"app": "x"}, "ports": [{"port": 80, "targetPort": "http"}]},
}


@pytest.mark.skipif(not object_schemas.available(), reason="make helm-tools fetches Kubernetes' schemas")
@pytest.mark.parametrize("version", object_schemas.KUBERNETES_VERSIONS)
def test_kubernetes_schemas_refuse_unknown_fields_and_kinds(version: str) -> None:
    assert object_schemas.findings(SERVICE, version) == []
    assert object_schemas.findings({**SERVICE, "spec": {**SERVICE["spec"], "sessionAffinty": "None"}}, version) != []
    assert object_schemas.findings({**SERVICE, "spec": {**SERVICE["spec"], "ports": [{"port": "http"}]}}, version) != []
    assert object_schemas.findings({**SERVICE, "kind": "Servise"}, version) != []
    old = {
        "apiVersion": "autoscaling/v2beta2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "x"},
        "spec": {},
    }
    assert "has no autoscaling/v2beta2" in object_schemas.findings(old, version)[0]


CUSTOM: dict[str, dict[str, Any]] = {
    "monitoring.coreos.com/v1 ServiceMonitor": {"selector": {}, "endpoints": [{"port": "ops"}]},
    "monitoring.coreos.com/v1 PrometheusRule": {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up"}]}]},
    "keda.sh/v1alpha1 ScaledObject": {"scaleTargetRef": {"name": "x"}, "triggers": [{"type": "cpu", "metadata": {}}]},
    "gateway.networking.k8s.io/v1 HTTPRoute": {"parentRefs": [{"name": "g"}]},
    "external-secrets.io/v1 ExternalSecret": {"data": [{"secretKey": "A", "remoteRef": {"key": "a"}}]},
}


@pytest.mark.parametrize("kind", CUSTOM)
def test_schemas_of_custom_resources_refuse_unknown_fields(kind: str) -> None:
    api_version, _, name = kind.partition(" ")
    good = {"apiVersion": api_version, "kind": name, "metadata": {"name": "x"}, "spec": CUSTOM[kind]}
    assert object_schemas.is_custom(good)
    assert object_schemas.findings(good, "1.29") == []
    assert object_schemas.findings({**good, "spec": {**CUSTOM[kind], "noSuchField": 1}}, "1.29") != []
    assert object_schemas.findings({**good, "spec": []}, "1.29") != []


def test_what_is_no_object_is_not_read() -> None:
    for text in ("a: [", "- 1", "kind: Service", "--- text"):
        with pytest.raises(ManifestsUnreadable):
            manifests_in(text)
    assert manifests_in("---\n---\nkind: A\napiVersion: v1\n") == [{"kind": "A", "apiVersion": "v1"}]
