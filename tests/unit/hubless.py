"""Spawners without a Hub, on a cluster that is a dictionary."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from kubernetes_asyncio.client.models import V1Pod
from kubespawner import KubeSpawner
from prometheus_client import REGISTRY
from traitlets.config import Config

from ocfspawner import OCFSpawner
from ocfspawner.directory.config import LDAPDirectory

from .support import FakeDirectory, manifest

BASE = {"namespace": "hub", "image": "image:1", "events_enabled": False, "start_timeout": 5}

RUNNING = {"phase": "Running", "podIP": "10.1.2.3", "containerStatuses": [{"name": "notebook", "ready": True}]}
"""A PodStatus."""


def spawner(
    directory: FakeDirectory | None,
    options: Mapping[str, Any] | None = None,
    kind: type[KubeSpawner] = OCFSpawner,
    username: str = "gstaff",
    **config: Any,
) -> Any:
    """A spawner of *username*, configured by *config*, with *directory* or without any."""
    urls = [] if directory is None else ["ldaps://ldap.example"]
    settings = Config(KubeSpawner={**BASE, **config}, LDAPDirectory={"urls": urls})
    LDAPDirectory.clear_instance()
    LDAPDirectory.instance(config=settings)._directory = directory
    # What KubeSpawner and Spawner ask of the Hub's user.
    user = SimpleNamespace(
        name=username, escaped_name=username, url=f"/user/{username}/", id=1, settings={}, groups=[]
    )
    made = kind(config=settings, user=user, _mock=True)
    made.user_options = dict(options or {})
    return made


async def decided(some: KubeSpawner) -> dict[str, Any]:
    """The manifest of the pod that *some* would start now."""
    await some.load_user_options()
    return manifest(await some.get_pod_manifest())


def notebook(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The container of the server in the manifest *pod*."""
    found: dict[str, Any] = next(each for each in pod["spec"]["containers"] if each["name"] == "notebook")
    return found


def environment(pod: Mapping[str, Any]) -> dict[str, str]:
    """The server's environment in the manifest *pod*."""
    return {each["name"]: each["value"] for each in notebook(pod)["env"] if "value" in each}


def refused(reason: str) -> float:
    """How often a spawn was refused for *reason*, as ``/hub/metrics`` shows it."""
    return REGISTRY.get_sample_value("ocfspawner_refusals_total", {"path": "spawn", "reason": reason}) or 0


class FakeCluster:
    """API server and watch in one: takes pods, and shows each with `status`."""

    def __init__(self) -> None:
        self.pods: dict[str, Any] = {}
        self.created: list[V1Pod] = []
        self.deleted: list[str] = []
        self.status: dict[str, Any] = {"phase": "Pending"}
        self.first_load_future = SimpleNamespace(done=lambda: True)

    async def create_namespaced_pod(self, namespace: str, pod: V1Pod) -> None:
        self.created.append(pod)
        sent = manifest(pod)
        shown = {**sent, "metadata": {**sent["metadata"], "uid": "1"}, "status": self.status}
        self.pods[f"{namespace}/{pod.metadata.name}"] = shown

    async def delete_namespaced_persistent_volume_claim(self, name: str, **_: Any) -> None:
        self.deleted.append(name)
