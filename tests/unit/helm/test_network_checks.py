"""The check of network policies finds every hole: good policies written here, and one change per rule."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from helm.checks import network
from tests.unit.helm.objects import Manifest, labels, metadata

Change = Callable[[dict[str, Manifest]], object]

POSTGRES, REDIS, ORACLE = ({"ipBlock": {"cidr": f"10.0.0.{number}/32"}} for number in (5, 6, 7))
DNS = {"podSelector": {"matchLabels": {"app": "dns"}}}
PROXY = {"namespaceSelector": {"matchLabels": {"name": "proxy"}}}
PROMETHEUS = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
EVERYWHERE = {"ipBlock": {"cidr": "0.0.0.0/0"}}

VALUES: dict[str, Any] = {
    "tests": {"enabled": False},
    "networkPolicy": {
        "dns": {"to": [DNS], "ports": [53]},
        "postgres": {"to": [POSTGRES], "ports": [5432]},
        "redis": {"to": [REDIS], "ports": [6379]},
        "oracle": {"to": [ORACLE], "ports": [1521]},
        "issuers": {"to": [], "ports": [443]},
        "controlPlane": {"from": [], "extraEgress": []},
        "dataPlane": {"from": [PROXY], "extraEgress": []},
        "worker": {"extraEgress": []},
        "metrics": {"from": [PROMETHEUS]},
    },
}


def tcp(*ports: int) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def policy(component: str, servers: dict[str, tuple[Any, int]], peers: list[tuple[Any, int]]) -> Manifest:
    egress = [{"to": [DNS], "ports": [{"protocol": "UDP", "port": 53}, *tcp(53)]}]
    egress += [{"to": [peer], "ports": tcp(port)} for peer, port in servers.values()]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(component),
        "spec": {
            "podSelector": {"matchLabels": labels(component)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [peer], "ports": tcp(port)} for peer, port in peers],
            "egress": egress,
        },
    }


def policies() -> dict[str, Manifest]:
    """Good policies by component."""
    postgres, redis, oracle = (POSTGRES, 5432), (REDIS, 6379), (ORACLE, 1521)
    every = {"postgres": postgres, "redis": redis, "oracle": oracle}
    deny = policy("default-deny", {}, [])
    deny["spec"] = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "g", "app.kubernetes.io/instance": "r"}},
        "policyTypes": ["Ingress", "Egress"],
    }
    return {
        "default-deny": deny,
        "control-plane": policy("control-plane", every, [(PROMETHEUS, 9000)]),
        "data-plane": policy("data-plane", {"redis": redis, "oracle": oracle}, [(PROXY, 8080), (PROMETHEUS, 9080)]),
        "worker": policy("worker", every, [(PROMETHEUS, 9090)]),
        "migration": policy("migration", {"postgres": postgres}, []),
    }


def test_good_policies_have_no_finding() -> None:
    assert network.findings(list(policies().values()), VALUES) == []


def egress_of(found: dict[str, Manifest], component: str) -> list[Any]:
    rules: list[Any] = found[component]["spec"]["egress"]
    return rules


def ingress_of(found: dict[str, Manifest], component: str) -> list[Any]:
    rules: list[Any] = found[component]["spec"]["ingress"]
    return rules


NETWORK: list[tuple[str, Change, str]] = [
    ("no default", lambda them: them.pop("default-deny"), "nothing is denied by default"),
    ("half a default", lambda them: them["default-deny"]["spec"].update(policyTypes=["Ingress"]), "deny everything"),
    ("a default with a hole", lambda them: them["default-deny"]["spec"].update(egress=[{}]), "deny everything"),
    (
        "a default for some",
        lambda them: them["default-deny"]["spec"]["podSelector"]["matchLabels"].update({"app": "x"}),
        "not every pod",
    ),
    ("none for workers", lambda them: them.pop("worker"), "none for worker"),
    ("one direction", lambda them: them["worker"]["spec"].update(policyTypes=["Egress"]), "both directions"),
    (
        "other pods",
        lambda them: them["worker"]["spec"]["podSelector"].update(matchLabels=labels("data-plane")),
        "selects other pods",
    ),
    (
        "a data plane at Postgres",
        lambda them: egress_of(them, "data-plane").append({"to": [POSTGRES], "ports": tcp(5432)}),
        "which data-plane has no business with",
    ),
    ("a way to anywhere", lambda them: egress_of(them, "data-plane").append({"ports": tcp(443)}), "to anywhere"),
    ("a way to any port", lambda them: egress_of(them, "worker").append({"to": [REDIS]}), "any port"),
    (
        "the internet",
        lambda them: egress_of(them, "worker").append({"to": [EVERYWHERE], "ports": tcp(443)}),
        "no business with",
    ),
    ("another port", lambda them: egress_of(them, "worker")[1]["ports"].extend(tcp(22)), "no business with"),
    ("no DNS", lambda them: egress_of(them, "control-plane").pop(0), "does not let out to dns"),
    (
        "a migration at Redis",
        lambda them: egress_of(them, "migration").append({"to": [REDIS], "ports": tcp(6379)}),
        "no",
    ),
    ("in from anywhere", lambda them: ingress_of(them, "control-plane").append({"ports": tcp(8000)}), "from anywhere"),
    (
        "the proxy at the admin API",
        lambda them: ingress_of(them, "control-plane").append({"from": [PROXY], "ports": tcp(8000)}),
        "lets",
    ),
    (
        "the proxy at the ops port",
        lambda them: ingress_of(them, "data-plane").append({"from": [PROXY], "ports": tcp(9080)}),
        "lets",
    ),
    ("no proxy", lambda them: ingress_of(them, "data-plane").pop(0), "does not let"),
    ("no scrape", lambda them: ingress_of(them, "worker").pop(), "does not let"),
    (
        "a test nobody asked for",
        lambda them: ingress_of(them, "data-plane").append(
            {"from": [{"podSelector": {"matchLabels": labels("test")}}], "ports": tcp(8080)}
        ),
        "lets",
    ),
]


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in NETWORK], ids=[case[0] for case in NETWORK])
def test_each_hole_in_the_policies_is_found(change: Change, says: str) -> None:
    changed = copy.deepcopy(policies())
    change(changed)
    found = network.findings(list(changed.values()), VALUES)
    assert any(says in finding for finding in found), found
