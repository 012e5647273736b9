"""The image-puller component: the image that servers have is on each node, and in use there."""

from .support.admission import image
from .support.cluster import get, kubectl


def test_each_node_keeps_the_image_that_servers_have() -> None:
    kubectl("rollout", "status", "daemonset/image-puller", "--timeout=120s", timeout=130)
    nodes = {node["metadata"]["name"] for node in get("nodes")["items"]}
    pods = get("pods", "--selector=app.kubernetes.io/component=image-puller")["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == nodes
    for pod in pods:
        assert [container["image"] for container in pod["spec"]["containers"]] == [image()]
        assert pod["spec"]["automountServiceAccountToken"] is False
