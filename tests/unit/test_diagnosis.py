"""What is wrong with a pod, from what the API server shows of it."""

from typing import Any

import pytest

from ocfspawner.cli.cluster import ApiRefused
from ocfspawner.cli.diagnosis import Finding, crashed, creation_refused, look, out_of_time
from ocfspawner.home import NFSHomes
from ocfspawner.plan import ServerPlan
from ocfspawner.quantity import Bytes, Cores
from ocfspawner.resources import CPU_GUARANTEE, MEMORY_LIMIT, Resources

from .support import plan

LONG = 60.0


@pytest.fixture
def server() -> ServerPlan:
    from dataclasses import replace

    resources = Resources().override(
        {CPU_GUARANTEE: Cores(64), MEMORY_LIMIT: Bytes(2**30)}, "resources.yaml:3 rule “big”"
    )
    return replace(plan(), resources=resources)


def event(reason: str, message: str) -> dict[str, Any]:
    return {"metadata": {"uid": "1"}, "type": "Warning", "reason": reason, "message": message}


def waiting(reason: str, message: str = "", name: str = "notebook", kind: str = "containerStatuses") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"status": {"phase": "Pending", kind: [{"name": name, "image": "image:1", "state": state}]}}


def ended(code: int, reason: str = "Error", name: str = "notebook", kind: str = "containerStatuses") -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": "its message"}}
    return {"status": {"phase": "Failed", kind: [{"name": name, "image": "image:1", "state": state}]}}


def unschedulable(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"status": {"phase": "Pending", "conditions": [condition]}}


FULL = "0/3 nodes are available: 1 Insufficient memory, 3 Insufficient cpu. preemption: 0/3 nodes are available."
TAINT = "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}."
PULL = 'Failed to pull image "image:1": not found'
MOUNT = 'MountVolume.SetUp failed for volume "home" : mount failed: exit status 32 access denied by server'


@pytest.mark.parametrize(
    ("pod", "events", "reason", "said"),
    [
        pytest.param(
            ended(40, name="home-check", kind="initContainerStatuses"), [], "home-missing", "does not exist", id="home"
        ),
        pytest.param(
            ended(43, name="home-check", kind="initContainerStatuses"), [], "home-not-owned", "not owned", id="owner"
        ),
        pytest.param(
            waiting("ErrImagePull"),
            [event("Failed", PULL)],
            "image",
            "image:1 can't be pulled (ErrImagePull): F",
            id="image",
        ),
        pytest.param(
            waiting("InvalidImageName", "couldn't parse", "home-check", "initContainerStatuses"),
            [],
            "image",
            "couldn't parse",
            id="the name of an image",
        ),
        pytest.param(
            unschedulable(FULL),
            [],
            "unschedulable",
            "No node has room for 1Gi of memory (decided by resources.yaml:3 rule “big”) and 64 of cpu (decided by",
            id="no room, and a limit alone is a guarantee",
        ),
        pytest.param(unschedulable(TAINT), [], "unschedulable", "untolerated taint", id="a taint"),
        pytest.param(waiting("PodInitializing"), [event("FailedMount", MOUNT)], "mount", "access denied", id="mount"),
        pytest.param(
            waiting("ContainerCreating"), [event("FailedCreatePodSandBox", "no IP")], "sandbox", "no IP", id="network"
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'secret "x" not found'), [], "container", 'secret "x"', id="secret"
        ),
        pytest.param(ended(128, "StartError"), [], "container", "its message", id="no shell"),
        pytest.param(
            ended(137, "OOMKilled"),
            [],
            "out-of-memory",
            "more than the memory limit of 1Gi (decided by resources.yaml:3 rule “big”)",
            id="memory",
        ),
        pytest.param(
            {"status": {"phase": "Failed", "reason": "Evicted", "message": "low on disk"}},
            [],
            "evicted",
            "low on",
            id="eviction",
        ),
    ],
)
def test_what_is_wrong(
    server: ServerPlan, pod: dict[str, Any], events: list[dict[str, Any]], reason: str, said: str
) -> None:
    found = look(server, pod, events, LONG)
    assert found is not None
    assert found.reason == reason
    assert said in found.sentence
    assert found.cure
    assert "\n" not in found.sentence


def test_an_inline_nfs_home_that_is_not_there_is_called_missing_at_once() -> None:
    text = 'failed for volume "home" : mount.nfs: x failed, reason given by server: No such file or directory'
    found = look(plan(NFSHomes()), waiting("PodInitializing"), [event("FailedMount", text)], 1.0)
    assert found is not None
    assert found.reason == "home-missing"
    assert "Make /home/g/gs/gstaff on the file server" in found.cure


@pytest.mark.parametrize(
    ("pod", "events", "waited"),
    [
        pytest.param({"status": {}}, [], LONG, id="nothing yet"),
        pytest.param(waiting("ContainerCreating"), [], LONG, id="it is being made"),
        pytest.param(unschedulable(FULL), [], 1.0, id="a node may get free"),
        pytest.param(unschedulable(FULL), [event("TriggeredScaleUp", "one more node")], LONG, id="a node comes"),
        pytest.param(waiting("PodInitializing"), [event("FailedMount", MOUNT)], 1.0, id="a mount that is tried again"),
        pytest.param(
            {"status": {"containerStatuses": [{"name": "notebook", "image": "i", "state": {"running": {}}}]}},
            [event("FailedMount", MOUNT)],
            LONG,
            id="a mount that came right",
        ),
        pytest.param(ended(0, "Completed", "home-check", "initContainerStatuses"), [], LONG, id="a home that is fine"),
    ],
)
def test_what_may_still_come_right(
    server: ServerPlan, pod: dict[str, Any], events: list[dict[str, Any]], waited: float
) -> None:
    assert look(server, pod, events, waited) is None


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        pytest.param(
            403,
            'pods "x" is forbidden: exceeded quota: homes, requested: requests.memory=1Gi, used: 8Gi, limited: 8Gi',
            "quota",
            id="quota",
        ),
        pytest.param(403, "failed quota: q: must specify limits.cpu", "quota", id="a quota wants limits"),
        pytest.param(403, 'violates PodSecurity "restricted:latest": host namespaces', "pod-security", id="PSA"),
        pytest.param(
            403, "maximum memory usage per Container is 1Gi, but limit is 2Gi.", "limit-range", id="LimitRange"
        ),
        pytest.param(400, 'admission webhook "x.y" denied the request: no', "admission", id="a webhook"),
        pytest.param(
            422, "ValidatingAdmissionPolicy 'homes' with binding 'b' denied request: no", "admission", id="a policy"
        ),
        pytest.param(403, 'User "x" cannot create resource "pods" in API group ""', "rights", id="rights"),
        pytest.param(422, 'Pod "x" is invalid: spec.containers[0].image: Required value', "pod-invalid", id="invalid"),
        pytest.param(400, 'strict decoding error: unknown field "spec.foo"', "pod-invalid", id="an unknown field"),
        pytest.param(500, "etcd is away", "api-refused", id="anything else"),
    ],
)
def test_why_it_would_not_be_created(status: int, message: str, reason: str) -> None:
    found = creation_refused(ApiRefused(status, "Forbidden", message))
    assert found.reason == reason
    assert message in found.sentence
    assert found.cure


def test_a_crash_ends_with_the_server_s_last_words(server: ServerPlan) -> None:
    found = crashed(server, 1, ["Traceback …", "ModuleNotFoundError: No module named 'x'", "", ""])
    assert found.sentence.endswith("its last words: ModuleNotFoundError: No module named 'x'")
    assert crashed(server, 1, []).sentence.endswith("nothing")
    assert crashed(server, "-9", []).reason == "out-of-memory"


def test_when_time_is_up_it_says_what_was_waited_for() -> None:
    found = out_of_time(waiting("x"), [event("BackOff", "again\nand again")], "image", 5)
    assert found == Finding(
        "timeout",
        "After 5 s it was still waiting for: image (the pod is Pending). The last warning: again and again",
        found.cure,
    )
