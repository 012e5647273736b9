"""The admission component's rules for pods with homes, one by one.

In a namespace without Pod Security, which would be first to refuse half of them; the same policies and limits are
bound to it.  The Hub's own namespace: test_admission.py.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from .support.admission import Manifest, account, allow, refusal, role, servers_manifest
from .support.cluster import kubectl
from .support.waiting import wait_for

NAMESPACE = "admission-test"
HUB, TOOL = account("hub", NAMESPACE), account("tool", NAMESPACE)
COMPONENT = Path(__file__).parents[2] / "deploy" / "components" / "admission"

Defect = Callable[[Manifest], Any]


@pytest.fixture(scope="module")
def pod() -> Iterator[Manifest]:
    """A server's pod as the Hub makes it, in a namespace where the rules hold."""
    bindings = [_bound_here(b) for b in yaml.safe_load_all((COMPONENT / "bindings.yaml").read_text())]
    limits = yaml.safe_load((COMPONENT / "limits.yaml").read_text())
    limits["metadata"]["namespace"] = NAMESPACE
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}
        for name in ("hub", "tool")
    ]
    kubectl("create", "namespace", NAMESPACE)
    pods = allow("", ["pods"], "create", "get")
    try:
        for to in ("hub", "tool"):
            _apply(*role(to, pods, namespace=NAMESPACE, to=to))
        _apply(*accounts, limits, *bindings)
        manifest = servers_manifest("gstaff")
        manifest["metadata"]["name"] = "jupyter-gstaff"
        changed = _with(manifest, lambda m: m["spec"]["securityContext"].update(runAsUser=1))
        wait_for("the rules to hold", lambda: "denied request: uid" in refusal(changed, HUB, NAMESPACE))
        yield manifest
    finally:
        kubectl("delete", "--wait=false", "--ignore-not-found", *(_name_of(binding) for binding in bindings))
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _apply(*manifests: Manifest) -> None:
    kubectl("--namespace", NAMESPACE, "apply", "--filename=-", stdin=yaml.safe_dump_all(manifests))


def _bound_here(binding: Manifest) -> Manifest:
    binding["metadata"]["name"] += "-test"
    binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] = NAMESPACE
    return binding


def _name_of(binding: Manifest) -> str:
    return f"{binding['kind'].lower()}/{binding['metadata']['name']}"


def _with(manifest: Manifest, defect: Defect) -> Manifest:
    changed = deepcopy(manifest)
    defect(changed)
    return changed


def notebook(pod: Manifest) -> Manifest:
    found: Manifest = pod["spec"]["containers"][0]
    return found


def context(**changes: Any) -> Defect:
    return lambda pod: pod["spec"]["securityContext"].update(changes)


def everywhere(**changes: Any) -> Defect:
    """In the pod and in its containers, so that no two contradict each other."""

    def change(pod: Manifest) -> None:
        for one in (pod["spec"], *pod["spec"]["containers"], *pod["spec"]["initContainers"]):
            one["securityContext"].update(changes)

    return change


def own(**changes: Any) -> Defect:
    """Of the server's container alone."""
    return lambda pod: notebook(pod)["securityContext"].update(changes)


def mount(**changes: Any) -> Defect:
    """Of the server's home."""
    return lambda pod: _home_mount(pod).update(changes)


def _home_mount(pod: Manifest) -> Manifest:
    found: Manifest = next(m for m in notebook(pod)["volumeMounts"] if m["name"] == "home")
    return found


def volume(**source: Any) -> Defect:
    return lambda pod: pod["spec"]["volumes"].append({"name": "more", **source})


def one_more(kind: str, **changes: Any) -> Defect:
    """A container, confined as it must be, that mounts the home as the server does."""

    def add(pod: Manifest) -> None:
        container = deepcopy(notebook(pod))
        container.update({"name": "more", "ports": [], "lifecycle": None, **changes})
        pod["spec"][kind].append(container)

    return add


def labelled(component: str) -> Defect:
    return lambda pod: pod["metadata"]["labels"].update({"app.kubernetes.io/component": component})


def spec(**changes: Any) -> Defect:
    return lambda pod: pod["spec"].update(changes)


def without_sub_path(pod: Manifest) -> None:
    del _home_mount(pod)["subPath"]


def sub_path_of_a_variable(pod: Manifest) -> None:
    without_sub_path(pod)
    _home_mount(pod)["subPathExpr"] = "g/gs/$(USER)"


def no_context(pod: Manifest) -> None:
    del notebook(pod)["securityContext"]


def home_check(**changes: Any) -> Defect:
    return lambda pod: pod["spec"]["initContainers"][0].update(changes)


def a_look_that_writes(pod: Manifest) -> None:
    del pod["spec"]["initContainers"][0]["volumeMounts"][0]["readOnly"]


def inline(path: str) -> Defect:
    """The home from an NFS server, without a claim."""

    def change(pod: Manifest) -> None:
        (home,) = (v for v in pod["spec"]["volumes"] if v["name"] == "home")
        del home["persistentVolumeClaim"]
        home["nfs"] = {"server": "homes.example.edu", "path": path}
        without_sub_path(pod)

    return change


def inline_csi(pod: Manifest) -> None:
    inline("/")(pod)
    (home,) = (v for v in pod["spec"]["volumes"] if v["name"] == "home")
    del home["nfs"]
    home["csi"] = {"driver": "nfs.csi.k8s.io", "volumeAttributes": {"server": "homes.example.edu", "share": "/home"}}


TOKEN = {"sources": [{"serviceAccountToken": {"path": "token"}}]}


@pytest.mark.parametrize(
    ("rule", "defect"),
    [
        pytest.param("name", lambda p: p["metadata"].update(name="notebook"), id="a name that exec is open for"),
        pytest.param("label", lambda p: p["metadata"].pop("labels"), id="no label"),
        pytest.param("label", labelled("directory"), id="another part's label"),
        pytest.param("uid", lambda p: p["spec"].pop("securityContext"), id="no identity"),
        pytest.param("uid", everywhere(runAsUser=0, runAsNonRoot=False), id="uid 0"),
        pytest.param("uid", everywhere(runAsUser=999), id="a uid below the floor"),
        pytest.param("uid", everywhere(runAsUser=65534), id="nobody's uid"),
        pytest.param("gid", everywhere(runAsGroup=0), id="gid 0"),
        pytest.param("gid", lambda p: p["spec"]["securityContext"].pop("runAsGroup"), id="no gid"),
        pytest.param("gid", everywhere(runAsGroup=27), id="a denied gid"),
        pytest.param("gid", context(supplementalGroups=[1002, 42]), id="a denied group among the others"),
        pytest.param("fsGroup", context(fsGroup=1000), id="fsGroup"),
        pytest.param("container", no_context, id="a container without a context"),
        pytest.param("container", own(runAsUser=40001), id="a container with another uid"),
        pytest.param("container", own(runAsGroup=40001), id="a container with another gid"),
        pytest.param("container", own(runAsNonRoot=False), id="a container that may be root"),
        pytest.param("container", own(allowPrivilegeEscalation=True), id="privilege escalation"),
        pytest.param("container", own(privileged=True, allowPrivilegeEscalation=True), id="privileged"),
        pytest.param("container", own(capabilities={}), id="capabilities kept"),
        pytest.param("container", own(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}), id="a capability added"),
        pytest.param("mounts", one_more("containers"), id="a second container with the home"),
        pytest.param("mounts", one_more("initContainers"), id="an init container with the home"),
        pytest.param("mounts", home_check(restartPolicy="Always"), id="a look that never ends"),
        pytest.param("mounts", spec(shareProcessNamespace=True), id="shared processes"),
        pytest.param("home-check", a_look_that_writes, id="a look that may write"),
        pytest.param("subPath", without_sub_path, id="all homes"),
        pytest.param("subPath", mount(subPath=""), id="an empty subPath"),
        pytest.param("subPath", mount(subPath="g/gs"), id="many homes"),
        pytest.param("subPath", mount(subPath="g/./gstaff"), id="many homes in disguise"),
        pytest.param("subPath", sub_path_of_a_variable, id="a subPath from a variable"),
        pytest.param("nfs", inline("/"), id="all of an NFS server"),
        pytest.param("nfs", inline("/home/g/../.."), id="all of an NFS server in disguise"),
        pytest.param("nfs", inline_csi, id="a CSI volume that names the server"),
        pytest.param("host", volume(hostPath={"path": "/"}), id="hostPath"),
        pytest.param("host", spec(hostNetwork=True), id="hostNetwork"),
        pytest.param("host", spec(hostPID=True), id="hostPID"),
        pytest.param("token", spec(automountServiceAccountToken=True), id="the account's token"),
        pytest.param("token", volume(projected=TOKEN), id="a projected token"),
    ],
)  # fmt: skip
def test_even_the_hub_makes_them_like_this(pod: Manifest, rule: str, defect: Defect) -> None:
    said = refusal(_with(pod, defect), HUB, NAMESPACE)
    assert f"'ocfspawner-create-test' denied request: {rule}: " in said
    assert said.count(". ") >= 1, "what to do is said too"
    assert refusal(pod, HUB, NAMESPACE) == ""


def test_a_home_straight_from_an_nfs_server_is_admitted(pod: Manifest) -> None:
    assert refusal(_with(pod, inline("/opt/homes/home/g/gs/gstaff")), HUB, NAMESPACE) == ""


@pytest.mark.parametrize(
    "defect",
    [
        pytest.param(lambda pod: None, id="by the claim"),
        pytest.param(inline("/home/g/gs/gstaff"), id="by NFS"),
        pytest.param(inline_csi, id="by a CSI driver"),
    ],
)
def test_nobody_else_makes_them(pod: Manifest, defect: Defect) -> None:
    said = refusal(_with(pod, defect), TOOL, NAMESPACE)
    assert f"denied request: who: only the Hub mounts homes, not {TOOL}" in said

    def ordinary(pod: Manifest) -> None:
        pod["spec"]["volumes"] = [v for v in pod["spec"]["volumes"] if v["name"] != "home"]
        for container in (*pod["spec"]["containers"], *pod["spec"]["initContainers"]):
            container["volumeMounts"] = [m for m in container.get("volumeMounts", ()) if m["name"] != "home"]

    assert refusal(_with(pod, ordinary), TOOL, NAMESPACE) == ""


def test_without_its_limits_no_pod_is_admitted(pod: Manifest) -> None:
    limits = yaml.safe_load((COMPONENT / "limits.yaml").read_text())
    kubectl("--namespace", NAMESPACE, "delete", "configmap", "homes-limits")
    try:
        wait_for("the rules to miss them", lambda: "no params found" in refusal(pod, HUB, NAMESPACE))
    finally:
        _apply(limits)
    wait_for("the rules to have them", lambda: not refusal(pod, HUB, NAMESPACE))
