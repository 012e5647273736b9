"""The cluster enforces NetworkPolicies as the API's documentation has them: what test_network rests on.

kind's own network does so by itself; on the fallback's node it is a stand-in, and this is its proof.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .support import network
from .support.cluster import Manifest
from .support.network import Reaches, Target
from .support.waiting import wait_for

NEAR = {"client", "other"}
FAR = {"alices-client", "alices-other"}
ALICE = {"namespaceSelector": {"matchLabels": {"user": "alice"}}}
CLIENTS = {"podSelector": {"matchLabels": {"role": "client"}}}


class World:
    """A server, and pods that try to reach it: in its own namespace, and in one with the label of a person."""

    def __init__(self, near: str, far: str) -> None:
        server, *neighbours = network.strangers(near, {"server": {}, "client": {"role": "client"}, "other": {}})
        others = network.strangers(far, {"alices-client": {"role": "client"}, "alices-other": {}})
        self.namespace = near
        self.server: Target = server.target
        self.places: dict[str, Reaches] = {pod.name: pod.reaches for pod in (*neighbours, *others)}

    def reached(self) -> set[str]:
        return network.who_reaches(self.server, self.places)

    def wait_until_reached_by(self, expected: set[str]) -> None:
        what = f"the server to be reached by {sorted(expected)} and nobody else"
        wait_for(what, lambda: self.reached() == expected, timeout=network.SECONDS)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with network.namespace() as near, network.namespace(user="alice") as far:
        yield World(near, far)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"policyTypes": ["Ingress"]}, set(), id="deny all ingress"),
        pytest.param({"ingress": [{}]}, NEAR | FAR, id="allow all ingress"),
        pytest.param({"policyTypes": ["Egress"]}, FAR, id="deny all egress"),
        pytest.param({"ingress": [{"from": [{"podSelector": {}}]}]}, NEAR, id="the own namespace"),
        pytest.param({"ingress": [{"from": [{**ALICE, **CLIENTS}]}]}, {"alices-client"}, id="both selectors"),
        pytest.param({"ingress": [{"from": [ALICE, CLIENTS]}]}, {*FAR, "client"}, id="either selector"),
        pytest.param({"ingress": [{"from": [ALICE], "ports": [{"port": "http"}]}]}, FAR, id="a port by its name"),
        pytest.param({"ingress": [{"ports": [{"port": 8000, "endPort": 8080}]}]}, NEAR | FAR, id="a range of ports"),
        pytest.param({"ingress": [{"ports": [{"port": 8081, "endPort": 8090}]}]}, set(), id="another range of ports"),
    ],
)
def test_who_reaches_the_server_by_a_policy(world: World, spec: Manifest, expected: set[str]) -> None:
    with ExitStack() as policies:
        if expected == world.reached():  # without a policy it would be so as well
            policies.enter_context(network.policy(world.namespace, {"policyTypes": ["Ingress"]}))
            world.wait_until_reached_by(set())
        policies.enter_context(network.policy(world.namespace, spec))
        world.wait_until_reached_by(expected)
    world.wait_until_reached_by(NEAR | FAR)
