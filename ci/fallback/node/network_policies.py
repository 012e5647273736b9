#!/usr/bin/python3
"""NetworkPolicies for a node whose network enforces none: what the API says, as one table of nftables.

For tests only, and for one node, on which it runs as a service: whatever fails ends it, and it is started again; its
table stays meanwhile. `ruleset` is a pure function of the objects; `main` watches them and replaces the table at once.
Replies pass, and what the node itself sends, such as the kubelet's probes. What a pod sends to an address of the node
counts as egress. Services need no thought: their addresses are translated before a packet gets here.
"""

import json
import os
import ssl
import subprocess
import threading
from collections.abc import Collection, Iterator
from ipaddress import collapse_addresses, ip_network
from typing import Any
from urllib.request import urlopen

Object = dict[str, Any]
API, PKI = "https://localhost:6443", "/etc/kubernetes/pki"
RESOURCES = ("apis/networking.k8s.io/v1/networkpolicies", "api/v1/pods", "api/v1/namespaces")
TABLE = "inet network_policies"
HOOK = "type filter hook {} priority filter + 10; policy accept; ct state established,related accept"
NEAR, FAR = {"egress": "saddr", "ingress": "daddr"}, {"egress": "daddr", "ingress": "saddr"}


def ruleset(policies: Collection[Object], pods: Collection[Object], namespaces: Collection[Object]) -> str:
    """What `nft -f` reads: the whole table, in place of the one that is there."""
    labels = {namespace["metadata"]["name"]: namespace["metadata"].get("labels", {}) for namespace in namespaces}
    known = [{**pod, "namespaceLabels": labels.get(pod["metadata"]["namespace"], {})} for pod in pods if _ips(pod)]
    chains: dict[str, list[str]] = {"forward": [HOOK.format("forward"), "jump egress", "jump ingress"]}
    chains |= {"input": [HOOK.format("input"), "jump egress"], "egress": [], "ingress": []}
    for direction, pod in ((direction, pod) for direction in FAR for pod in known):
        selecting = [policy for policy in policies if _isolates(policy, direction, pod)]
        if selecting:
            name = f"{direction}-{_ips(pod)[0].replace(':', '.')}"
            chains[direction] += [f"{_is(NEAR[direction], ip)} jump {name}" for ip in _ips(pod)]
            itself = [_is(FAR[direction], ip) for ip in _ips(pod)]
            passes = [match for policy in selecting for match in _matches(policy, direction, pod, known)]
            chains[name] = [f"{match} return".lstrip() for match in dict.fromkeys(itself + passes)] + ["counter drop"]
    blocks = [f"\tchain {name} {{\n" + "".join(f"\t\t{rule}\n" for rule in chains[name]) + "\t}\n" for name in chains]
    return f"table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{''.join(blocks)}}}\n"


def _ips(pod: Object) -> list[str]:
    """None of its own has a pod on the node's network, and one that has ended has given them back."""
    gone = pod["spec"].get("hostNetwork") or pod["status"].get("phase") in ("Succeeded", "Failed")
    return [] if gone else [entry["ip"] for entry in pod["status"].get("podIPs") or ()]


def _is(side: str, address: str) -> str:
    return f"ip{'6' if ':' in address else ''} {side} {address}"


def _isolates(policy: Object, direction: str, pod: Object) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return direction.capitalize() in types and _is_peer(spec, pod, policy)


def _matches(policy: Object, direction: str, pod: Object, pods: list[Object]) -> Iterator[str]:
    """What passes by this policy: each peer with each port. A name of a port means what the receiving pod says."""
    for rule in policy["spec"].get(direction) or ():
        for peer, other in _peers(rule, direction, policy, pods):
            receiver = pod if direction == "ingress" else other
            for port in rule.get("ports") or [None]:
                yield from (f"{peer} {match}".strip() for match in _ports(port, receiver))


def _peers(rule: Object, direction: str, policy: Object, pods: list[Object]) -> Iterator[tuple[str, Object | None]]:
    side, peers = FAR[direction], rule.get("to" if direction == "egress" else "from")
    if not peers:
        yield "", None
    names = any(isinstance(port.get("port"), str) for port in rule.get("ports") or ())
    for peer in peers or [{"namespaceSelector": {}}] * names:  # a name takes a pod that has it
        if "ipBlock" in peer:
            yield _block(side, peer["ipBlock"]), None
        else:
            yield from ((_is(side, ip), pod) for pod in pods if _is_peer(peer, pod, policy) for ip in _ips(pod))


def _is_peer(peer: Object, pod: Object, policy: Object) -> bool:
    among, here = peer.get("namespaceSelector"), pod["metadata"]["namespace"] == policy["metadata"]["namespace"]
    near = here if among is None else _selects(among, pod["namespaceLabels"])
    return near and _selects(peer.get("podSelector") or {}, pod["metadata"].get("labels", {}))


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    def fits(key: str, operator: str, values: Collection[str] = ()) -> bool:
        there, among = key in labels, labels.get(key, "") in values and key in labels
        return {"In": among, "NotIn": not among, "Exists": there, "DoesNotExist": not there}[operator]

    expressions = selector.get("matchExpressions") or ()
    return (selector.get("matchLabels") or {}).items() <= labels.items() and all(fits(**one) for one in expressions)


def _block(side: str, block: Object) -> str:
    networks: list[Any] = [ip_network(text, strict=False) for text in block.get("except") or ()]
    without = ", ".join(map(str, collapse_addresses(networks)))  # nft takes no overlaps
    match = _is(side, str(ip_network(block["cidr"], strict=False)))
    return f"{match} {_is(side, f'!= {{ {without} }}')}" if without else match


def _ports(port: Object | None, receiver: Object | None) -> list[str]:
    if port is None:
        return [""]
    protocol, wanted = port.get("protocol") or "TCP", port.get("port")
    if wanted is None:
        return [f"meta l4proto {protocol.lower()}"]
    numbers = [f"{wanted}-{port['endPort']}" if port.get("endPort") else wanted]
    if isinstance(wanted, str):
        containers = receiver["spec"]["containers"] if receiver else ()
        declared = [one for container in containers for one in container.get("ports") or ()]
        called = [one for one in declared if (one.get("name"), one.get("protocol", "TCP")) == (wanted, protocol)]
        numbers = [one["containerPort"] for one in called]
    return [f"{protocol.lower()} dport {number}" for number in numbers]


def _watch(resource: str, tls: ssl.SSLContext, known: dict[str, dict[str, Object]], changed: threading.Event) -> None:
    while True:
        listed = json.load(urlopen(f"{API}/{resource}", context=tls, timeout=30))
        known[resource] = {item["metadata"]["uid"]: item for item in listed["items"]}
        changed.set()
        since = f"watch=1&timeoutSeconds=300&resourceVersion={listed['metadata']['resourceVersion']}"
        for event in map(json.loads, urlopen(f"{API}/{resource}?{since}", context=tls, timeout=330)):
            known[resource][event["object"]["metadata"]["uid"]] = event["object"]
            if event["type"] == "DELETED":
                del known[resource][event["object"]["metadata"]["uid"]]
            changed.set()


def main() -> None:
    threading.excepthook = lambda failure: (threading.__excepthook__(failure), os._exit(1))
    tls = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
    tls.load_cert_chain(f"{PKI}/apiserver-kubelet-client.crt", f"{PKI}/apiserver-kubelet-client.key")
    known: dict[str, dict[str, Object]] = {}
    changed, table = threading.Event(), ""
    for resource in RESOURCES:
        threading.Thread(target=_watch, args=(resource, tls, known, changed), daemon=True).start()
    while changed.wait():
        changed.clear()
        if len(known) == len(RESOURCES):
            before, table = table, ruleset(*(list(known[resource].values()) for resource in RESOURCES))
            if table != before:
                subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True)


if __name__ == "__main__":
    main()
