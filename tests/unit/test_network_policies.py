"""ci/fallback's NetworkPolicies, by the examples and the rules of the API's own documentation.

https://kubernetes.io/docs/concepts/services-networking/network-policies/, and the reference of networking.k8s.io/v1.
"""

import runpy
from pathlib import Path
from typing import Any

import pytest

Manifest = dict[str, Any]

# Run, not imported: that would leave compiled files in a folder whose content gives the node's image its name.
ruleset = runpy.run_path(str(Path(__file__).parents[2] / "ci" / "fallback" / "node" / "network_policies.py"))[
    "ruleset"
]


def pod(
    name: str, address: str, namespace: str = "default", ports: tuple[Manifest, ...] = (), **labels: str
) -> Manifest:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "main", "ports": list(ports)}]},
        "status": {"phase": "Running", "podIPs": [{"ip": address}]},
    }


def namespace(name: str, **labels: str) -> Manifest:
    return {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}}}


def policy(spec: Manifest, namespace: str = "default") -> Manifest:
    return {"metadata": {"name": "a-policy", "namespace": namespace}, "spec": {"podSelector": {}, **spec}}


DB = pod("db", "10.0.0.1", role="db")
FRONTEND = pod("frontend", "10.0.0.2", role="frontend")
CLIENT = pod("client", "10.0.0.3", "alices", role="client")
OTHER = pod("other", "10.0.0.4", "alices")
PODS = [DB, FRONTEND, CLIENT, OTHER]
NAMESPACES = [namespace("default"), namespace("alices", user="alice", project="myproject")]


def chains(*policies: Manifest, pods: list[Manifest] = PODS) -> dict[str, list[str]]:
    """What the table holds of pods: the rules of each chain, but for the first, on the pod itself, and the last."""
    text = ruleset(policies, pods, NAMESPACES)
    head, *blocks = text.removesuffix("}\n").split("\tchain ")
    assert head == "table inet network_policies\ndelete table inet network_policies\ntable inet network_policies {\n"
    rules = {}
    for block in blocks:
        name, *lines = [line.strip() for line in block.splitlines()]
        rules[name.removesuffix(" {")] = lines[:-1]
    entered = [rule.split()[-1] for direction in ("egress", "ingress") for rule in rules[direction]]
    of_pods = {name: lines for name, lines in rules.items() if "-" in name}
    assert list(of_pods) == entered
    for name, lines in of_pods.items():
        side = "saddr" if name.startswith("ingress") else "daddr"
        assert (lines[0], lines[-1]) == (f"ip {side} {name.partition('-')[2]} return", "counter drop")
    return {name: lines[1:-1] for name, lines in of_pods.items()}


def of_db(*policies: Manifest, pods: list[Manifest] = PODS) -> dict[str, list[str]]:
    return {name: rules for name, rules in chains(*policies, pods=pods).items() if name.endswith("-10.0.0.1")}


# -- the defaults ----------------------------------------------------------------------------


def test_without_a_policy_everything_passes() -> None:
    assert chains() == {}


def test_packets_go_through_egress_and_ingress_and_to_the_node_through_egress() -> None:
    lines = [line.strip() for line in ruleset((), (), ()).splitlines()]
    replies = "policy accept; ct state established,related accept"
    forward = lines.index(f"type filter hook forward priority filter + 10; {replies}")
    assert lines[forward + 1 : forward + 4] == ["jump egress", "jump ingress", "}"]
    to_the_node = lines.index(f"type filter hook input priority filter + 10; {replies}")
    assert lines[to_the_node + 1 : to_the_node + 3] == ["jump egress", "}"]


def test_default_deny_all_ingress() -> None:
    assert chains(policy({"policyTypes": ["Ingress"]})) == {"ingress-10.0.0.1": [], "ingress-10.0.0.2": []}


def test_default_deny_all_egress() -> None:
    assert chains(policy({"policyTypes": ["Egress"]})) == {"egress-10.0.0.1": [], "egress-10.0.0.2": []}


def test_default_deny_all() -> None:
    assert of_db(policy({"policyTypes": ["Ingress", "Egress"]})) == {"egress-10.0.0.1": [], "ingress-10.0.0.1": []}


def test_allow_all_ingress() -> None:
    assert of_db(policy({"policyTypes": ["Ingress"], "ingress": [{}]})) == {"ingress-10.0.0.1": ["return"]}


def test_allow_all_egress() -> None:
    assert of_db(policy({"policyTypes": ["Egress"], "egress": [{}]})) == {"egress-10.0.0.1": ["return"]}


def test_allow_all_egress_and_deny_all_ingress() -> None:
    wanted = {"egress-10.0.0.1": ["return"], "ingress-10.0.0.1": []}
    assert of_db(policy({"policyTypes": ["Ingress", "Egress"], "egress": [{}]})) == wanted


def test_without_types_ingress_is_meant_and_egress_where_it_has_rules() -> None:
    assert set(of_db(policy({}))) == {"ingress-10.0.0.1"}
    assert set(of_db(policy({"egress": []}))) == {"ingress-10.0.0.1"}
    assert set(of_db(policy({"egress": [{}]}))) == {"ingress-10.0.0.1", "egress-10.0.0.1"}


# -- peers -----------------------------------------------------------------------------------


def test_the_example_that_has_everything() -> None:
    example = {
        "podSelector": {"matchLabels": {"role": "db"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [
                    {"ipBlock": {"cidr": "172.17.0.0/16", "except": ["172.17.1.0/24"]}},
                    {"namespaceSelector": {"matchLabels": {"project": "myproject"}}},
                    {"podSelector": {"matchLabels": {"role": "frontend"}}},
                ],
                "ports": [{"protocol": "TCP", "port": 6379}],
            }
        ],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": [{"protocol": "TCP", "port": 5978}]}],
    }
    assert chains(policy(example)) == {
        "egress-10.0.0.1": ["ip daddr 10.0.0.0/24 tcp dport 5978 return"],
        "ingress-10.0.0.1": [
            "ip saddr 172.17.0.0/16 ip saddr != { 172.17.1.0/24 } tcp dport 6379 return",
            "ip saddr 10.0.0.3 tcp dport 6379 return",
            "ip saddr 10.0.0.4 tcp dport 6379 return",
            "ip saddr 10.0.0.2 tcp dport 6379 return",
        ],
    }


def test_one_entry_with_both_selectors_takes_both() -> None:
    peer = {
        "namespaceSelector": {"matchLabels": {"user": "alice"}},
        "podSelector": {"matchLabels": {"role": "client"}},
    }
    assert of_db(policy({"ingress": [{"from": [peer]}]})) == {"ingress-10.0.0.1": ["ip saddr 10.0.0.3 return"]}


def test_two_entries_with_a_selector_each_take_either() -> None:
    near = pod("near", "10.0.0.5", role="client")
    peers = [
        {"namespaceSelector": {"matchLabels": {"user": "alice"}}},
        {"podSelector": {"matchLabels": {"role": "client"}}},
    ]
    rules = of_db(policy({"ingress": [{"from": peers}]}), pods=[*PODS, near])["ingress-10.0.0.1"]
    assert rules == ["ip saddr 10.0.0.3 return", "ip saddr 10.0.0.4 return", "ip saddr 10.0.0.5 return"]


@pytest.mark.parametrize(
    ("peer", "passing"),
    [
        ({"podSelector": {}}, ["10.0.0.2"]),
        ({"namespaceSelector": {}}, ["10.0.0.2", "10.0.0.3", "10.0.0.4"]),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "alices"}}}, ["10.0.0.3", "10.0.0.4"]),
        ({"namespaceSelector": {"matchLabels": {"user": "bob"}}}, []),
    ],
    ids=["all pods of the namespace", "all pods", "a namespace by its name", "nobody"],
)
def test_selectors_of_peers(peer: Manifest, passing: list[str]) -> None:
    rules = of_db(policy({"ingress": [{"from": [peer]}]}))["ingress-10.0.0.1"]
    # Itself is among them, and has a rule already.
    assert rules == [f"ip saddr {address} return" for address in passing]


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ({"key": "role", "operator": "In", "values": ["db", "web"]}, True),
        ({"key": "role", "operator": "In", "values": ["web"]}, False),
        ({"key": "tier", "operator": "In", "values": ["db"]}, False),
        ({"key": "role", "operator": "NotIn", "values": ["db"]}, False),
        ({"key": "tier", "operator": "NotIn", "values": ["db"]}, True),
        ({"key": "role", "operator": "Exists"}, True),
        ({"key": "tier", "operator": "Exists"}, False),
        ({"key": "role", "operator": "DoesNotExist"}, False),
        ({"key": "tier", "operator": "DoesNotExist"}, True),
    ],
)
def test_expressions(expression: Manifest, selected: bool) -> None:
    assert bool(of_db(policy({"podSelector": {"matchExpressions": [expression]}}))) is selected
    both = {"matchLabels": {"role": "frontend"}, "matchExpressions": [expression]}
    assert not of_db(policy({"podSelector": both}))


def test_policies_add_up() -> None:
    one = policy({"ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "frontend"}}}]}]})
    two = policy({"podSelector": {"matchLabels": {"role": "db"}}, "ingress": [{"ports": [{"port": 80}]}]})
    wanted = ["ip saddr 10.0.0.2 return", "tcp dport 80 return"]
    assert of_db(one, two) == {"ingress-10.0.0.1": wanted}
    assert of_db(one, two, policy({"policyTypes": ["Ingress"]})) == {"ingress-10.0.0.1": wanted}


def test_blocks() -> None:
    blocks = [
        {"cidr": "192.168.1.1/24", "except": ["192.168.1.0/25", "192.168.1.64/26"]},
        {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]},
    ]
    rules = of_db(policy({"policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": block} for block in blocks]}]}))
    assert rules["egress-10.0.0.1"] == [
        "ip daddr 192.168.1.0/24 ip daddr != { 192.168.1.0/25 } return",
        "ip6 daddr 2001:db8::/32 ip6 daddr != { 2001:db8:1::/48 } return",
    ]


# -- ports -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ports", "matches"),
    [
        ([{"port": 80}], ["tcp dport 80"]),
        ([{"protocol": "TCP", "port": 32000, "endPort": 32768}], ["tcp dport 32000-32768"]),
        ([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}], ["udp dport 53", "tcp dport 53"]),
        ([{"protocol": "SCTP", "port": 7777}], ["sctp dport 7777"]),
        ([{"protocol": "UDP"}], ["meta l4proto udp"]),
        ([{}], ["meta l4proto tcp"]),
    ],
)
def test_ports(ports: list[Manifest], matches: list[str]) -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": ports}
    rules = of_db(policy({"policyTypes": ["Egress"], "egress": [rule]}))["egress-10.0.0.1"]
    assert rules == [f"ip daddr 10.0.0.0/24 {match} return" for match in matches]


WEB = pod("web", "10.0.0.6", ports=({"name": "http", "containerPort": 8080},), role="web")
ODD = pod(
    "odd",
    "10.0.0.7",
    ports=({"name": "http", "containerPort": 81}, {"name": "http", "containerPort": 1, "protocol": "UDP"}),
    role="web",
)


def test_a_name_of_a_port_is_the_selected_pods_own_on_ingress() -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"role": "frontend"}}}], "ports": [{"port": "http"}]}
    assert chains(
        policy({"podSelector": {"matchLabels": {"role": "web"}}, "ingress": [rule]}), pods=[*PODS, WEB, ODD]
    ) == {
        "ingress-10.0.0.6": ["ip saddr 10.0.0.2 tcp dport 8080 return"],
        "ingress-10.0.0.7": ["ip saddr 10.0.0.2 tcp dport 81 return"],
    }


@pytest.mark.parametrize("to", [{"to": [{"podSelector": {}}]}, {}], ids=["selected", "everybody"])
def test_a_name_of_a_port_is_each_destinations_own_on_egress(to: Manifest) -> None:
    rule = {**to, "ports": [{"port": "http"}]}
    rules = of_db(policy({"policyTypes": ["Egress"], "egress": [rule]}), pods=[*PODS, WEB, ODD])
    wanted = ["ip daddr 10.0.0.6 tcp dport 8080 return", "ip daddr 10.0.0.7 tcp dport 81 return"]
    assert rules == {"egress-10.0.0.1": wanted}


def test_a_name_of_a_port_that_nobody_has_lets_nothing_pass() -> None:
    rule = {"ports": [{"port": "http"}]}
    assert of_db(policy({"ingress": [rule]})) == {"ingress-10.0.0.1": []}


# -- which pods ------------------------------------------------------------------------------


def without_addresses() -> list[Manifest]:
    ended, on_the_node, new = pod("ended", "10.0.0.8"), pod("on-the-node", "172.18.0.2"), pod("new", "")
    ended["status"]["phase"] = "Succeeded"
    on_the_node["spec"]["hostNetwork"] = True
    del new["status"]["podIPs"]
    return [ended, on_the_node, new]


def test_pods_without_an_address_of_their_own_are_left_out() -> None:
    deny, allow = policy({"policyTypes": ["Ingress"]}), policy({"ingress": [{"from": [{"podSelector": {}}]}]})
    assert chains(deny, allow, pods=[*PODS, *without_addresses()]) == chains(deny, allow)


def test_both_addresses_of_a_pod_count() -> None:
    both = pod("both", "10.0.0.9")
    both["status"]["podIPs"].append({"ip": "fd00::9"})
    text = ruleset([policy({"ingress": [{"from": [{"podSelector": {}}]}]})], [DB, both], NAMESPACES)
    for line in ("ip daddr 10.0.0.9 jump ingress-10.0.0.9", "ip6 daddr fd00::9 jump ingress-10.0.0.9"):
        assert f"\t\t{line}\n" in text
    assert text.count("ip6 saddr fd00::9 return") == 2, "for db, and for itself"
