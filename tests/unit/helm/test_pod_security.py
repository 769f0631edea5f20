"""The policy on pods finds every way of breaking it: one good pod, and one change to it per rule."""

import copy
from typing import Any

import pytest

from helm.checks.manifests import pod_specs
from helm.checks.pod_security import findings

GOOD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "good"},
    "spec": {
        "serviceAccountName": "own",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "only",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
                "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}},
                "env": [{"name": "A", "value": "b"}],
                "ports": [{"containerPort": 80}],
            }
        ],
        "volumes": [{"name": "state", "emptyDir": {}}],
    },
}

CONTEXT = "spec.containers.0.securityContext"
BAD: list[tuple[str, Any, str]] = [
    ("spec.hostNetwork", True, "hostNetwork"),
    ("spec.hostPID", True, "hostPID"),
    ("spec.hostIPC", True, "hostIPC"),
    ("spec.os", {"name": "windows"}, "windows"),
    ("spec.volumes.0", {"name": "host", "hostPath": {"path": "/"}}, "volume host is of the kind hostPath"),
    ("spec.volumes.0", {"name": "far", "nfs": {"server": "x", "path": "/"}}, "nfs"),
    ("spec.volumes.0", {"name": "nothing"}, "none"),
    ("spec.securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}], "kernel.msgmax"),
    ("spec.securityContext.runAsUser", 0, "the pod runs as user 0"),
    ("spec.securityContext.seLinuxOptions", {"user": "root"}, "seLinuxOptions"),
    ("spec.securityContext.seLinuxOptions", {"type": "spc_t"}, "seLinuxOptions"),
    ("spec.securityContext.windowsOptions", {"hostProcess": True}, "host process"),
    ("spec.securityContext.seccompProfile", {"type": "Unconfined"}, "Unconfined"),
    ("spec.securityContext.seccompProfile", None, "no seccomp profile"),
    ("spec.securityContext.appArmorProfile", {"type": "Unconfined"}, "AppArmor"),
    ("spec.securityContext.runAsNonRoot", None, "may run as root"),
    (f"{CONTEXT}.runAsNonRoot", False, "may run as root"),
    (f"{CONTEXT}.runAsUser", 0, "container only runs as user 0"),
    (f"{CONTEXT}.privileged", True, "is privileged"),
    (f"{CONTEXT}.allowPrivilegeEscalation", None, "may escalate"),
    (f"{CONTEXT}.allowPrivilegeEscalation", True, "may escalate"),
    (f"{CONTEXT}.procMount", "Unmasked", "procMount"),
    (f"{CONTEXT}.capabilities", {"drop": ["NET_RAW"]}, "does not drop all"),
    (f"{CONTEXT}.capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, "adds capabilities"),
    (f"{CONTEXT}.seccompProfile", {"type": "Unconfined"}, "container only has the seccomp profile Unconfined"),
    (f"{CONTEXT}.readOnlyRootFilesystem", False, "may write to its root"),
    ("spec.containers.0.ports.0.hostPort", 80, "host's port 80"),
    ("spec.containers.0.livenessProbe", {"httpGet": {"host": "10.0.0.1", "port": 1}}, "names a host"),
    ("spec.containers.0.lifecycle", {"preStop": {"tcpSocket": {"host": "x", "port": 1}}}, "names a host"),
    ("spec.containers.0.resources", {"requests": {"cpu": "1m", "memory": "1Mi"}}, "limit on memory"),
    ("spec.containers.0.resources.requests", {"memory": "1Mi"}, "lacks requests"),
    (
        "spec.containers.0.env.0",
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        "secret in its",
    ),
    ("spec.containers.0.envFrom", [{"secretRef": {"name": "s"}}], "whole Secret"),
    ("spec.initContainers", [{"name": "first"}], "container first may escalate"),
    ("spec.ephemeralContainers", [{"name": "later"}], "container later does not drop all"),
    ("spec.automountServiceAccountToken", None, "token"),
    ("spec.volumes.0", {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}, "token"),
    ("spec.enableServiceLinks", True, "Services"),
    ("spec.serviceAccountName", "default", "default service account"),
]


def with_set(node: Any, place: str, value: Any) -> Any:
    """A copy with one place (`a.b.c`; a number is an index) set."""
    first, _, rest = place.partition(".")
    copied = copy.copy(node)
    key = int(first) if isinstance(node, list) else first
    below = copied[key] if isinstance(node, list) else node.get(first)
    copied[key] = with_set(below or {}, rest, value) if rest else value
    return copied


def test_a_good_pod_has_no_finding() -> None:
    assert findings([GOOD]) == []


@pytest.mark.parametrize(("place", "value", "says"), BAD, ids=[f"{place}={value}"[:60] for place, value, _ in BAD])
def test_each_way_of_breaking_it_is_found(place: str, value: Any, says: str) -> None:
    found = findings([with_set(GOOD, place, value)])
    assert any(says in finding and finding.startswith("Pod/good: ") for finding in found), found


def test_pods_are_found_in_everything_that_makes_some() -> None:
    spec = copy.deepcopy(GOOD["spec"])
    workloads: list[dict[str, Any]] = [
        {"kind": kind, "metadata": {"name": "x"}, "spec": {"template": {"spec": spec}}}
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet")
    ]
    cron = {
        "kind": "CronJob",
        "metadata": {"name": "x"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}},
    }
    makers = [*workloads, cron, {**GOOD, "spec": spec}]
    assert len(list(pod_specs(makers))) == len(makers)
    assert findings(makers) == []
    spec["hostNetwork"] = True
    assert [finding.split(": ")[1] for finding in findings(makers)] == ["hostNetwork is set"] * len(makers)
