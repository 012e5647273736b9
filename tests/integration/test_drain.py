"""A node with the Hub and the proxy can be emptied: nothing holds `kubectl drain` up. The evictions are dry runs."""

import json
from collections.abc import Iterator

import pytest

from .support import cluster, network
from .support.waiting import wait_for


def may_be_evicted(namespace: str, pod: str) -> bool:
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
        "deleteOptions": {"dryRun": ["All"]},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    answer = cluster.run(
        "sh", "-c", 'kubectl create --raw "$1" --filename=- 2>&1', "sh", path, stdin=json.dumps(eviction), check=False
    )
    refused = "disruption budget" in answer
    assert refused or '"status":"Success"' in answer, answer
    return not refused


def budget(component: str) -> cluster.Manifest:
    spec: cluster.Manifest = cluster.get("poddisruptionbudget", component)["spec"]
    return spec


@pytest.mark.parametrize("component", ["hub", "proxy"])
def test_hub_and_proxy_may_be_evicted(component: str) -> None:
    (pod,) = cluster.get("pods", "--selector", f"app.kubernetes.io/component={component}")["items"]
    for term, value in budget(component)["selector"]["matchLabels"].items():
        assert pod["metadata"]["labels"][term] == value
    wait_for(f"the {component} to be evictable", lambda: may_be_evicted(cluster.NAMESPACE, pod["metadata"]["name"]))


@pytest.fixture
def never_ready() -> Iterator[tuple[str, str]]:
    """Namespace and name of a pod that runs and does not become ready, of a Deployment with one replica."""
    container = {
        "name": "main",
        "image": network.image(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "600"],
        "readinessProbe": {"exec": {"command": ["false"]}},
    }
    labels = {"app": "never-ready"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "never-ready"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }
    with network.namespace() as namespace:
        network.kubectl_in(namespace, "create", "--filename=-", stdin=json.dumps(deployment))
        running = "jsonpath={.items[?(@.status.phase=='Running')].metadata.name}"
        look = ("get", "pods", "--output", running)
        yield namespace, wait_for("a pod that runs", lambda: network.kubectl_in(namespace, *look).strip())


def test_nor_does_one_that_is_not_ready_hold_a_drain_up(never_ready: tuple[str, str]) -> None:
    """By the Hub's own budget; with the API's default in its place it would."""
    namespace, pod = never_ready
    spec = {**budget("hub"), "selector": {"matchLabels": {"app": "never-ready"}}}
    manifest = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "budget"}}

    def apply(policy: str) -> None:
        changed = {**manifest, "spec": {**spec, "unhealthyPodEvictionPolicy": policy}}
        network.kubectl_in(namespace, "apply", "--filename=-", stdin=json.dumps(changed))

    apply("IfHealthyBudget")
    wait_for("the budget to refuse", lambda: not may_be_evicted(namespace, pod))
    apply(spec["unhealthyPodEvictionPolicy"])
    wait_for("the budget to agree", lambda: may_be_evicted(namespace, pod))
