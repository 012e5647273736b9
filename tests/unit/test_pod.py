"""A plan put into a pod."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from kubernetes_asyncio.client.models import (
    V1Container,
    V1NFSVolumeSource,
    V1PersistentVolumeClaimVolumeSource,
    V1Pod,
    V1SecurityContext,
    V1Volume,
    V1VolumeMount,
)
from kubespawner.objects import make_pod

from ocfspawner.errors import PodRefused
from ocfspawner.home import ClaimHomes, HomeVolume, NFSHomes
from ocfspawner.pod import apply_plan
from ocfspawner.prepare import prepared
from ocfspawner.quantity import Bytes, Cores
from ocfspawner.resources import CPU_LIMIT, MEMORY_GUARANTEE, Resources

from .support import manifest, plan

ROOT = {"name": "x", "image": "x", "securityContext": {"runAsUser": 0, "privileged": True}}
ROOT_MODEL = V1Container(name="x", image="x", security_context=V1SecurityContext(run_as_user=0))
CLAIM, NFS = ClaimHomes(), NFSHomes(server="files", prefix="/opt")


def pod(**changes: Any) -> V1Pod:
    """A pod as KubeSpawner makes it."""
    settings = {"name": "jupyter-gstaff", "cmd": ["server", "--flag"], "port": 8888, "image": "image:1"}
    made: V1Pod = make_pod(**{"image_pull_policy": "IfNotPresent", **settings, **changes})
    return made


def planned(homes: HomeVolume = CLAIM, **changes: Any) -> dict[str, Any]:
    """The manifest of such a pod with gstaff's plan in it."""
    some = pod(**changes)
    apply_plan(some, plan(homes))
    return manifest(some)


def identity(context: dict[str, Any]) -> tuple[int, int]:
    return context["runAsUser"], context["runAsGroup"]


def test_the_look_at_the_home_comes_before_everything_else() -> None:
    spec = planned(init_containers=[{"name": "theirs", "image": "theirs:1"}])["spec"]
    check, theirs = spec["initContainers"]
    assert (check["name"], check["image"]) == ("home-check", "check:1")
    assert theirs["name"] == "theirs"


def test_the_plan_s_resources_are_the_server_s_whatever_is_configured_and_the_look_asks_for_no_more() -> None:
    resources = Resources().override({CPU_LIMIT: Cores(2), MEMORY_GUARANTEE: Bytes(2**30)}, "test")
    some = pod(cpu_limit=64, extra_container_config={"resources": {"limits": {"memory": "900Gi"}}})
    apply_plan(some, replace(plan(), resources=resources))
    spec = manifest(some)["spec"]
    check, notebook = spec["initContainers"][0], spec["containers"][0]
    assert check["resources"] == notebook["resources"] == {"limits": {"cpu": "2"}, "requests": {"memory": "1Gi"}}
    assert check["imagePullPolicy"] == notebook["imagePullPolicy"] == "IfNotPresent"


def test_the_server_starts_in_the_home_whatever_is_configured() -> None:
    assert planned(working_dir="/tmp")["spec"]["containers"][0]["workingDir"] == "/home/g/gs/gstaff"


def test_configured_volumes_stay() -> None:
    data = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    mount = {"name": "data", "mountPath": "/data"}
    spec = planned(volumes=[data], volume_mounts=[mount])["spec"]
    assert data in spec["volumes"]
    assert mount in spec["containers"][0]["volumeMounts"]
    assert {volume["name"] for volume in spec["volumes"]} == {"data", "home", "identity", "runtime"}


def test_configured_annotations_stay() -> None:
    annotations = planned(annotations={"site/note": "x"})["metadata"]["annotations"]
    assert annotations["site/note"] == "x"
    assert "ocfspawner.ocf.io/passwd" in annotations


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"uid": 0, "gid": 0}, id="uid and gid"),
        pytest.param({"supplemental_gids": [0, 27]}, id="groups"),
        pytest.param({"fs_gid": 100}, id="fsGroup"),
        pytest.param({"privileged": True, "allow_privilege_escalation": True}, id="privileges"),
        pytest.param({"container_security_context": {"capabilities": {"add": ["SYS_ADMIN"]}}}, id="capabilities"),
        pytest.param({"container_security_context": {"procMount": "Unmasked"}}, id="a /proc of one's own"),
        pytest.param({"container_security_context": {"seccompProfile": {"type": "Unconfined"}}}, id="no seccomp"),
        pytest.param({"pod_security_context": {"runAsUser": 0, "supplementalGroups": [27]}}, id="the pod's context"),
        pytest.param({"extra_container_config": {"securityContext": {"runAsUser": 0}}}, id="extra_container_config"),
        pytest.param({"extra_pod_config": {"securityContext": {"fsGroup": 0}}}, id="extra_pod_config"),
        pytest.param({"service_account": "hub", "automount_service_account_token": True}, id="the Hub's token"),
        pytest.param({"init_containers": [ROOT]}, id="an init container as root"),
        pytest.param({"extra_containers": [ROOT_MODEL]}, id="a container as root, as a model"),
    ],
)
def test_whoever_asks_for_other_rights_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PodRefused, match=r"configuration or profile asks for "):
        planned(**changes)
    spec = planned()["spec"]
    assert spec["securityContext"] == plan().pod_security_context
    assert spec["automountServiceAccountToken"] is False


def test_the_refusal_says_where_and_what() -> None:
    with pytest.raises(PodRefused) as caught:
        planned(init_containers=[ROOT])
    assert "container 'x' of configuration or profile asks for runAsUser 0: " in caught.value.admin_text


@pytest.mark.parametrize("kind", ["init_containers", "extra_containers"])
@pytest.mark.parametrize(
    "container",
    [
        pytest.param({"name": "x", "image": "x", "securityContext": {"runAsNonRoot": True}}, id="plain"),
        pytest.param(
            V1Container(name="x", image="x", security_context=V1SecurityContext(privileged=False)), id="as a model"
        ),
        pytest.param({"name": "x", "image": "x"}, id="without a context"),
    ],
)
def test_every_container_runs_as_the_person(kind: str, container: Any) -> None:
    changes: dict[str, Any] = {kind: [container]}
    spec = planned(**changes)["spec"]
    contexts = [each["securityContext"] for each in spec["initContainers"] + spec["containers"]]
    assert [identity(context) for context in contexts] == [(12903, 1000)] * 3
    assert not any(context["privileged"] for context in contexts)


def test_a_stricter_container_stays_stricter() -> None:
    context = planned(container_security_context={"readOnlyRootFilesystem": True})["spec"]["containers"][0]
    assert context["securityContext"]["readOnlyRootFilesystem"] is True


def nfs(server: str) -> dict[str, Any]:
    return {"volumes": [{"name": "x", "nfs": {"server": server, "path": "/"}}]}


def claim(name: str) -> dict[str, Any]:
    return {"volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": name}}]}


def claim_model(name: str) -> dict[str, Any]:
    return {
        "volumes": [V1Volume(name="x", persistent_volume_claim=V1PersistentVolumeClaimVolumeSource(claim_name=name))]
    }


def nfs_model(server: str) -> dict[str, Any]:
    return {"volumes": [V1Volume(name="x", nfs=V1NFSVolumeSource(server=server, path="/"))]}


def extra_pod(name: str) -> dict[str, Any]:
    return {"extra_pod_config": claim(name)}


def volume_named(name: str) -> dict[str, Any]:
    return {"volumes": [{"name": name, "emptyDir": {}}]}


def init_mounting(name: str) -> dict[str, Any]:
    return {"init_containers": [{"name": "x", "image": "x", "volumeMounts": [{"name": name, "mountPath": "/x"}]}]}


def extra_mounting(name: str) -> dict[str, Any]:
    mounts = [V1VolumeMount(name=name, mount_path="/x")]
    return {"extra_containers": [V1Container(name="x", image="x", volume_mounts=mounts)]}


def pod_mounting(name: str) -> dict[str, Any]:
    container = {"name": "x", "image": "x", "volumeMounts": [{"name": name, "mountPath": "/x"}]}
    return {"extra_pod_config": {"initContainers": [container]}}


def server_mounting(name: str) -> dict[str, Any]:
    return {"extra_container_config": {"volumeMounts": [{"name": name, "mountPath": "/x"}]}}


@pytest.mark.parametrize(
    ("homes", "with_name", "bad", "good"),
    [
        pytest.param(CLAIM, claim, "homes", "data", id="the claim"),
        pytest.param(CLAIM, claim_model, "homes", "data", id="the claim as a model"),
        pytest.param(CLAIM, extra_pod, "homes", "data", id="the claim by extra_pod_config"),
        pytest.param(NFS, nfs, "files", "other", id="the file server"),
        pytest.param(NFS, nfs_model, "files", "other", id="the file server as a model"),
        pytest.param(CLAIM, volume_named, "home", "house", id="a volume with the home's name"),
        pytest.param(CLAIM, volume_named, "identity", "id", id="a volume with the names' name"),
        pytest.param(CLAIM, volume_named, "runtime", "run", id="a volume with the run-time files' name"),
        pytest.param(CLAIM, init_mounting, "home", "data", id="an init container"),
        pytest.param(CLAIM, extra_mounting, "home", "data", id="an extra container"),
        pytest.param(CLAIM, pod_mounting, "home", "data", id="a container by extra_pod_config"),
        pytest.param(CLAIM, server_mounting, "home", "data", id="the server by extra_container_config"),
    ],
)
def test_any_other_way_to_the_homes_is_refused(
    homes: HomeVolume, with_name: Callable[[str], dict[str, Any]], bad: str, good: str
) -> None:
    with pytest.raises(PodRefused, match=r"of configuration or profile"):
        planned(homes, **with_name(bad))
    assert planned(homes, **with_name(good))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"cmd": None}, id="no command"),
        pytest.param({"cmd": []}, id="an empty command"),
        pytest.param({"extra_container_config": {"name": "mine"}}, id="another name"),
        pytest.param({"extra_pod_config": {"containers": [{"name": "mine", "image": "x"}]}}, id="other containers"),
    ],
)
def test_a_pod_without_a_server_to_start_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PodRefused, match="no container 'notebook' with a command"):
        planned(**changes)
    assert planned()


def test_the_server_is_started_by_the_persons_own_container_after_a_look_at_the_home() -> None:
    assert planned(cmd=["server", "--flag"])["spec"]["containers"][0]["args"] == prepared(["server", "--flag"])
