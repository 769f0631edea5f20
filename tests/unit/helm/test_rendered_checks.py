"""The checks of rendered manifests find what is wrong: good manifests written here, and one change per rule.

helm itself isn't needed: what it renders is looked at by `make helm-check`, with these same checks.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from helm.checks import environments, references
from helm.checks.trial import trial_values
from tests.unit.helm.objects import Manifest, labels, metadata

Change = Callable[[dict[str, Manifest]], object]


def release() -> dict[str, Manifest]:
    """A small release whose objects fit each other."""
    container: dict[str, Any] = {
        "name": "data-plane",
        "envFrom": [{"configMapRef": {"name": "data-plane"}}],
        "env": [{"name": name, "value": f"/etc/querygateway/secrets/{name[:-5]}"} for name in SECRET_FILES],
        "ports": [{"name": "ops", "containerPort": 9080}, {"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"port": "ops"}},
        "lifecycle": {"preStop": {"exec": {"command": ["querygateway", "drain", "--seconds", "15"]}}},
        "volumeMounts": [{"name": "secrets"}, {"name": "state"}],
    }
    sources = [
        {"secret": {"name": "s", "items": [{"key": name, "path": name}]}} for name in ("REDIS_URL", "BUNDLE_SEAL_KEY")
    ]
    spec = {
        "serviceAccountName": "data-plane",
        "terminationGracePeriodSeconds": 75,
        "containers": [container],
        "volumes": [{"name": "secrets", "projected": {"sources": sources}}],
    }
    template = {"metadata": {"labels": labels("data-plane")}, "spec": spec}
    hook = {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "hook-succeeded"}
    migration = {
        "serviceAccountName": "migration",
        "containers": [{"name": "m", "env": [{"name": "MIGRATION_DATABASE_URL_FILE", "value": "/x"}]}],
    }

    def hooked(weight: str) -> dict[str, Any]:
        return {**metadata("migration"), "annotations": {**hook, "helm.sh/hook-weight": weight}}

    return {
        "workload": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata("data-plane"),
            "spec": {"selector": {"matchLabels": labels("data-plane")}, "template": template},
        },
        "settings": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata("data-plane"),
            "data": {"SHUTDOWN_GRACE_SECONDS": "50", **LISTENERS, **SETTINGS},
        },
        "service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata("data-plane"),
            "spec": {
                "selector": labels("data-plane"),
                "ports": [{"name": "ops", "port": 9080, "targetPort": "ops"}],
            },
        },
        "monitor": {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "ServiceMonitor",
            "metadata": metadata("data-plane"),
            "spec": {"selector": {"matchLabels": labels("data-plane")}, "endpoints": [{"port": "ops"}]},
        },
        "route": {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": metadata("data-plane"),
            "spec": {"rules": [{"backendRefs": [{"name": "data-plane", "port": 9080}]}]},
        },
        "account": {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("data-plane")},
        "migration-account": {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": hooked("-20")},
        "scaler": {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": metadata("data-plane"),
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "data-plane"}, "maxReplicas": 3},
        },
        "job": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": hooked("-10"),
            "spec": {"template": {"metadata": {"labels": labels("migration")}, "spec": migration}},
        },
    }


SETTINGS = {"GATEWAY_ID": "qg-test", "BUNDLE_VERIFY_KEYS": "x", "STATE_DIR": "/var/lib/querygateway/state"}
LISTENERS = {"HOST": "0.0.0.0", "PORT": "8080", "OPS_HOST": "0.0.0.0", "OPS_PORT": "9080"}  # noqa: S104 - not bound here
SECRET_FILES = ("REDIS_URL_FILE", "BUNDLE_SEAL_KEY_FILE")


def pod_of(found: dict[str, Manifest]) -> dict[str, Any]:
    spec: dict[str, Any] = found["workload"]["spec"]["template"]["spec"]
    return spec


def test_a_release_that_fits_has_no_finding() -> None:
    assert references.findings(list(release().values())) == []


FIT: list[tuple[str, Change, str]] = [
    ("twice", lambda them: them.update(again=them["service"]), "2 objects of this name"),
    ("a long name", lambda them: them["service"]["metadata"].update(name="x" * 64), "longer than 63"),
    ("a Service of nobody", lambda them: them["service"]["spec"].update(selector=labels("worker")), "selects 0 kinds"),
    ("no account", lambda them: them.pop("account"), "there is no service account data-plane"),
    ("a shared account", lambda them: pod_of(them).update(serviceAccountName="migration"), "shared by 2"),
    ("no settings", lambda them: them["settings"]["metadata"].update(name="x"), "there is no ConfigMap data-plane"),
    (
        "no such volume",
        lambda them: pod_of(them)["containers"][0]["volumeMounts"].append({"name": "gone"}),
        "mounts ['gone']",
    ),
    (
        "a probe of another port",
        lambda them: pod_of(them)["containers"][0]["readinessProbe"]["httpGet"].update(port="admin"),
        "asks the port admin",
    ),
    (
        "a Service of another port",
        lambda them: them["service"]["spec"]["ports"][0].update(targetPort="admin"),
        "Service/data-plane: leads to the port admin",
    ),
    (
        "a scrape of another port",
        lambda them: them["monitor"]["spec"]["endpoints"][0].update(port="http"),
        "scrapes the port http",
    ),
    (
        "a route to another port",
        lambda them: them["route"]["spec"]["rules"][0]["backendRefs"][0].update(port=80),
        "asks for the port 80",
    ),
    (
        "a route to nobody",
        lambda them: them["route"]["spec"]["rules"][0]["backendRefs"][0].update(name="x"),
        "there is no Service x",
    ),
    ("no target", lambda them: them["scaler"]["spec"]["scaleTargetRef"].update(kind="StatefulSet"), "no StatefulSet"),
    ("replicas, too", lambda them: them["workload"]["spec"].update(replicas=3), "fixed number of replicas"),
    ("killed early", lambda them: pod_of(them).update(terminationGracePeriodSeconds=60), "is killed after 60 s, needs"),
    ("no drain", lambda them: pod_of(them)["containers"][0].pop("lifecycle"), "does not drain"),
    ("no hook", lambda them: them["job"]["metadata"]["annotations"].update({"helm.sh/hook": "test"}), "is no hook"),
    (
        "too late",
        lambda them: them["migration-account"]["metadata"]["annotations"].update({"helm.sh/hook-weight": "-10"}),
        "does not come before the Job",
    ),
    (
        "a hook that stays",
        lambda them: them["job"]["metadata"]["annotations"].update({"helm.sh/hook-delete-policy": "hook-failed"}),
        "stays after the migration",
    ),
    (
        "the owner's credentials elsewhere",
        lambda them: pod_of(them)["containers"][0]["env"].append(
            {"name": "MIGRATION_DATABASE_URL_FILE", "value": "/x"}
        ),
        "sees the credentials",
    ),
]


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in FIT], ids=[case[0] for case in FIT])
def test_each_thing_that_does_not_fit_is_found(change: Change, says: str) -> None:
    changed = copy.deepcopy(release())
    change(changed)
    assert any(says in finding for finding in references.findings(list(changed.values())))


ENVIRONMENT: list[tuple[str, Change, str]] = [
    ("unknown", lambda them: them["settings"]["data"].update(NO_SUCH="1"), "NO_SUCH is read by nobody"),
    ("of another service", lambda them: them["settings"]["data"].update(MAX_JOB_CONCURRENCY="1"), "read by nobody"),
    ("a plain secret", lambda them: them["settings"]["data"].update(REDIS_URL="redis://"), "secret REDIS_URL is in"),
    ("no file", lambda them: pod_of(them).update(volumes=[]), "which is not mounted"),
    ("missing", lambda them: them["settings"]["data"].pop("GATEWAY_ID"), "['GATEWAY_ID'] is required"),
    ("a secret missing", lambda them: pod_of(them)["containers"][0]["env"].pop(), "BUNDLE_SEAL_KEY"),
    ("another port", lambda them: them["settings"]["data"].update(OPS_PORT="9081"), "OPS_PORT is 9081"),
    ("loopback", lambda them: them["settings"]["data"].update(OPS_HOST="127.0.0.1"), "nobody outside the pod"),
    ("refused by the service", lambda them: None, "BUNDLE_VERIFY_KEYS: "),
]


def environment_findings(manifests: dict[str, Manifest]) -> list[str]:
    found = environments.findings(list(manifests.values()), with_secrets=True)
    return [finding for finding in found if finding.startswith("Deployment/data-plane")]


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in ENVIRONMENT], ids=[case[0] for case in ENVIRONMENT])
def test_each_wrong_environment_is_found(change: Change, says: str) -> None:
    changed = copy.deepcopy(release())
    change(changed)
    assert any(says in finding for finding in environment_findings(changed)), environment_findings(changed)


def test_what_a_service_takes_has_no_finding() -> None:
    made, values = copy.deepcopy(release()), trial_values()
    made["settings"]["data"].update(values["settings"])
    data = {name: environments.encoded(text) for name, text in values["dataPlane"]["secrets"]["values"].items()}
    made["secret"] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata("data-plane", "s"), "data": data}
    assert environment_findings(made) == []
