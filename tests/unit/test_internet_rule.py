"""What the rule for the internet in deploy/base lets people's servers reach, and what not."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

POLICIES = Path(__file__).parents[2] / "deploy" / "base" / "network-policies.yaml"


def is_open(address: str) -> bool:
    policies = {policy["metadata"]["name"]: policy for policy in yaml.safe_load_all(POLICIES.read_text())}
    blocks = [rule["to"][0]["ipBlock"] for rule in policies["singleuser-internet"]["spec"]["egress"]]
    inside = [block for block in blocks if ip_address(address) in ip_network(block["cidr"])]
    return any(all(ip_address(address) not in ip_network(hole) for hole in block["except"]) for block in inside)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "203.0.113.10", "2606:4700::1111", "2001:db8::1"])
def test_the_internet_is_open(address: str) -> None:
    assert is_open(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",  # metadata of most clouds
        "fd00:ec2::254",  # of Amazon's, by IPv6
        "fd20:ce::254",  # of Google's, by IPv6
        "100.100.100.200",  # of Alibaba's
        "192.0.0.192",  # of Oracle's
        "10.96.0.1",  # the API server, as kubeadm numbers Services
        "10.244.0.9",  # a pod
        "172.18.0.2",  # a node of kind
        "192.168.1.1",
        "100.64.0.1",
        "127.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "64:ff9b::a9fe:a9fe",  # 169.254.169.254, by a NAT64
        "fe80::1",
        "ff02::1",
    ],
)
def test_what_is_somebodys_own_is_not(address: str) -> None:
    assert not is_open(address)
