"""Puts a `ServerPlan` into the pod that KubeSpawner made.

This runs after KubeSpawner's template expansion, so no text of the directory ever meets ``str.format``
(where ``{unescaped_username}`` in a home would be another person's home).  What the plan says of names, places and
resources wins over everything that configuration and profiles put there.  Who asks for another identity or for
more rights is refused instead: a server that is quietly something else than was chosen helps nobody.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kubernetes_asyncio.client.models import (
    V1Container,
    V1Pod,
    V1ResourceRequirements,
    V1Toleration,
    V1Volume,
    V1VolumeMount,
)
from kubespawner.utils import get_k8s_model

from ocfspawner.errors import PodRefused
from ocfspawner.home_check import check_container
from ocfspawner.plan import HOME_VOLUME, ServerPlan
from ocfspawner.prepare import prepared

NOTEBOOK = "notebook"
"""KubeSpawner's name for the container that runs the server (kubespawner 7.1.0, objects.py:535)."""

_ADMIN_MAY_SET = ("readOnlyRootFilesystem", "appArmorProfile", "seLinuxOptions")
"""What stays of a container's own security context; all else is the plan's."""


def apply_plan(pod: V1Pod, plan: ServerPlan) -> None:
    """Edit *pod* to be what *plan* says.

    Raises `PodRefused` when something else in the pod would reach the homes, or asks for other ids, groups or
    privileges than the plan's.
    """
    _refuse_other_ways_home(pod, plan)
    _refuse_other_rights(pod, plan)
    spec: Any = pod.spec  # typed models, which KubeSpawner fills with plain dictionaries too
    spec.containers = [get_k8s_model(V1Container, container) for container in spec.containers]
    spec.init_containers = [get_k8s_model(V1Container, container) for container in spec.init_containers or ()]
    notebook = next((container for container in spec.containers if container.name == NOTEBOOK), None)
    if notebook is None or not notebook.args:
        raise PodRefused(
            f"no container {NOTEBOOK!r} with a command: ocfspawner needs KubeSpawner.cmd, and keeps the name"
        )
    spec.volumes = [*(spec.volumes or ()), *(get_k8s_model(V1Volume, dict(volume)) for volume in plan.volumes)]
    notebook.volume_mounts = [
        *(notebook.volume_mounts or ()),
        *(get_k8s_model(V1VolumeMount, dict(mount)) for mount in plan.mounts),
    ]
    notebook.working_dir = plan.home.path
    notebook.args = prepared(notebook.args)
    notebook.resources = get_k8s_model(V1ResourceRequirements, dict(plan.container_resources))
    check = get_k8s_model(V1Container, dict(check_container(plan)))
    # The pod's request is the largest of its init containers and the sum of the others, so the same
    # again costs nothing, and satisfies a quota that wants to see requests and limits.
    check.resources = notebook.resources
    check.image_pull_policy = notebook.image_pull_policy
    spec.init_containers = [check, *spec.init_containers]
    spec.node_selector = {**(spec.node_selector or {}), **plan.node_selector} or None
    tolerations = (get_k8s_model(V1Toleration, dict(toleration)) for toleration in plan.tolerations)
    spec.tolerations = [*(spec.tolerations or ()), *tolerations] or None
    spec.security_context = dict(plan.pod_security_context)
    spec.automount_service_account_token = False
    spec.enable_service_links = False  # people's environments would tell of every Service beside the Hub
    for container in _containers(pod):
        own = _plain(container.security_context or {})
        kept = {key: own[key] for key in _ADMIN_MAY_SET if key in own}
        container.security_context = {**kept, **plan.container_security_context}
    pod.metadata.annotations = {**(pod.metadata.annotations or {}), **plan.annotations}


def _containers(pod: V1Pod) -> Iterator[Any]:
    yield from pod.spec.init_containers or ()
    yield from pod.spec.containers


def _plain(model: Any) -> Any:
    return model if isinstance(model, dict) else model.to_dict(serialize=True)


def _refuse_other_ways_home(pod: V1Pod, plan: ServerPlan) -> None:
    """No volume of configuration or profile may hold homes, no name may clash with ours."""
    ours = {volume["name"] for volume in plan.volumes}
    for volume in map(_plain, pod.spec.volumes or ()):
        if volume.get("name") in ours:
            raise PodRefused(f"volume {volume['name']!r} of configuration or profile has a name that ocfspawner uses")
        if _is_same_storage(volume, plan):
            raise PodRefused(f"volume {volume['name']!r} of configuration or profile holds the homes")
    for container in map(_plain, _containers(pod)):
        for mount in map(_plain, container.get("volumeMounts") or ()):
            if mount.get("name") == HOME_VOLUME:
                raise PodRefused(f"container {container['name']!r} of configuration or profile mounts the homes")


def _refuse_other_rights(pod: V1Pod, plan: ServerPlan) -> None:
    """No security setting of configuration or profile may differ from the plan's; the same, or none, is fine."""
    asked = [("the pod", pod.spec.security_context, plan.pod_security_context)]
    for container in map(_plain, _containers(pod)):
        name = f"container {container['name']!r}"
        asked.append((name, container.get("securityContext"), plan.container_security_context))
    for where, context, given in asked:
        for setting, value in _plain(context or {}).items():
            if value not in (None, [], {}, given.get(setting)) and setting not in _ADMIN_MAY_SET:
                raise PodRefused(
                    f"{where} of configuration or profile asks for {setting} {value!r}: "
                    "ids and groups are the directory's, and no server has privileges; leave it out"
                )
    if pod.spec.automount_service_account_token:
        raise PodRefused("configuration or profile asks for a service account's token, which no server gets")


def _is_same_storage(volume: Mapping[str, Any], plan: ServerPlan) -> bool:
    """Whether *volume* is the claim or the NFS server that the homes lie on."""
    what = {"persistentVolumeClaim": "claimName", "nfs": "server"}
    return any(
        _plain(volume.get(kind) or {}).get(what[kind]) == source[what[kind]]
        for kind, source in plan.home.source.items()
    )
