"""Who may talk to whom, as the rendered NetworkPolicies say, held against what the architecture allows."""

from collections.abc import Iterator
from typing import Any

from helm.checks.chart_values import KEY_OF, Values
from helm.checks.manifests import Manifest, component, of_kind, title

REACHES = {
    "control-plane": {"dns", "postgres", "redis", "oracle"},
    "data-plane": {"dns", "redis", "oracle", "issuers"},
    "worker": {"dns", "postgres", "redis", "oracle"},
    "migration": {"dns", "postgres"},
    "test": {"dns"},
}
"""The servers that each component may reach, beside what a user adds in extraEgress."""

_HTTP_PORTS = {"control-plane": 8000, "data-plane": 8080}
_OPS_PORTS = {"control-plane": 9000, "data-plane": 9080, "worker": 9090}


def findings(manifests: list[Manifest], values: Values) -> list[str]:
    """Everything that is open and should not be, or shut and should not be."""
    policies = of_kind(manifests, "NetworkPolicy")
    by_component = {component(policy): policy for policy in policies}
    found = list(_default_deny(by_component.get("default-deny")))
    for name, servers in REACHES.items():
        policy = by_component.get(name)
        if policy is None:
            if name not in {"test", "migration"} or any(component(item) == name for item in of_kind(manifests, "Pod")):
                found.append(f"NetworkPolicy: none for {name}")
            continue
        found += [f"{title(policy)}: {problem}" for problem in _of(name, policy, servers, values)]
    return found


def _default_deny(policy: Manifest | None) -> Iterator[str]:
    if policy is None:
        yield "NetworkPolicy: nothing is denied by default"
        return
    spec = policy["spec"]
    selected = set(spec["podSelector"].get("matchLabels", {}))
    if selected != {"app.kubernetes.io/name", "app.kubernetes.io/instance"}:
        yield f"{title(policy)}: selects by {sorted(selected)}, not every pod of the release"
    if set(spec["policyTypes"]) != {"Ingress", "Egress"} or spec.get("ingress") or spec.get("egress"):
        yield f"{title(policy)}: does not deny everything, in and out"


def _of(name: str, policy: Manifest, servers: set[str], values: Values) -> Iterator[str]:
    spec = policy["spec"]
    if set(spec["policyTypes"]) != {"Ingress", "Egress"}:
        yield "is not about both directions"
    if spec["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/component") != name:
        yield "selects other pods"
    yield from _out(name, spec.get("egress") or [], servers, values["networkPolicy"])
    yield from _in(name, spec.get("ingress") or [], values)


def _out(name: str, rules: list[Any], servers: set[str], policy: Values) -> Iterator[str]:
    expected = [_rule(policy[server]["to"], policy[server]["ports"], server == "dns") for server in sorted(servers)]
    expected += policy.get(KEY_OF.get(name, ""), {}).get("extraEgress", [])
    if name == "test":
        rules = [rule for rule in rules if not _to_release(rule)]
    for rule in rules:
        if not rule.get("to") or not rule.get("ports"):
            yield "lets out to anywhere, or to any port"
        elif rule not in expected:
            yield f"lets out to {rule}, which {name} has no business with"
    for server, rule in zip(sorted(servers), expected, strict=False):
        if rule["to"] and rule not in rules:
            yield f"does not let out to {server}"


def _rule(to: list[Any], ports: list[int], both_protocols: bool) -> dict[str, Any]:
    protocols = ("UDP", "TCP") if both_protocols else ("TCP",)
    return {"to": to, "ports": [{"protocol": protocol, "port": port} for port in ports for protocol in protocols]}


def _to_release(rule: dict[str, Any]) -> bool:
    """Whether a rule leads to pods of this release and nowhere else."""
    return all(
        "app.kubernetes.io/instance" in (peer.get("podSelector") or {}).get("matchLabels", {})
        and set(peer) == {"podSelector"}
        for peer in rule.get("to") or [{}]
    )


def _in(name: str, rules: list[Any], values: Values) -> Iterator[str]:
    policy, tests = values["networkPolicy"], values["tests"]["enabled"]
    allowed: dict[int, list[Any]] = {}
    if name in _OPS_PORTS:
        allowed[_OPS_PORTS[name]] = list(policy["metrics"]["from"])
    if name in _HTTP_PORTS:
        allowed[_HTTP_PORTS[name]] = list(policy[KEY_OF[name]]["from"])
    for rule in rules:
        if not rule.get("from") or not rule.get("ports"):
            yield "lets in from anywhere, or to any port"
            continue
        for port in rule["ports"]:
            for peer in rule["from"]:
                from_test = tests and _is_test(peer) and (port["port"] != _HTTP_PORTS["control-plane"])
                if port.get("protocol") != "TCP" or (peer not in allowed.get(port["port"], []) and not from_test):
                    yield f"lets {peer} in to {port}"
    for number, peers in allowed.items():
        through = [rule for rule in rules if any(port["port"] == number for port in rule.get("ports") or [])]
        opened = [peer for rule in through for peer in rule.get("from") or []]
        for peer in peers:
            if peer not in opened:
                yield f"does not let {peer} in to {number}"


def _is_test(peer: dict[str, Any]) -> bool:
    labels = (peer.get("podSelector") or {}).get("matchLabels", {})
    return set(peer) == {"podSelector"} and labels.get("app.kubernetes.io/component") == "test" and len(labels) == 3
