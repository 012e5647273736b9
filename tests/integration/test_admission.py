"""The admission component in the Hub's namespace: who may make, change and enter pods with homes, and who the Hub is.

The same is done twice: by a tool's ServiceAccount with the rights that RBAC calls `edit`, which is refused, and by the
same with the verb administer besides.  The rules for the pods themselves: test_admission_of_pods.py.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .support import cluster
from .support.admission import Manifest, account, allow, apply, asked, image, refusal, role, servers_manifest
from .support.cluster import NAMESPACE, get, kubectl
from .support.people import Person
from .support.waiting import wait_for

TOOL = account("admission-tool")
HUB = account("hub")

RIGHTS = (
    allow("", ["pods", "configmaps", "persistentvolumeclaims", "secrets"], "create", "get", "patch", "update"),
    allow("", ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy"], "create", "get"),
    allow("", ["pods/ephemeralcontainers", "pods/resize"], "get", "patch", "update"),
    allow("", ["serviceaccounts/token"], "create"),
    allow("apps", ["deployments"], "create", "get", "patch"),
    allow("batch", ["jobs", "cronjobs"], "create"),
)
CONFINED: Manifest = {
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 40000,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
}

HOMES = [{"name": "homes", "persistentVolumeClaim": {"claimName": "homes"}}]


@pytest.fixture(scope="module", autouse=True)
def _tool() -> Iterator[None]:
    metadata = {"name": "admission-tool", "namespace": NAMESPACE}
    apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    apply(*role("admission-tool", *RIGHTS, to="admission-tool"))
    yield
    kubectl("delete", "rolebinding/admission-tool", "role/admission-tool", "serviceaccount/admission-tool")


@contextmanager
def administrator() -> Iterator[None]:
    """The tool administers homes within, by the Role that the component brings."""
    subject = f"--serviceaccount={NAMESPACE}:admission-tool"
    kubectl("create", "rolebinding", "admission-administrator", "--role=homes-administrator", subject)
    try:
        yield
    finally:
        kubectl("delete", "rolebinding/admission-administrator")


def refused_until_administrator(attempt: Callable[[], str], rule: str) -> None:
    """*attempt* says why it was refused; it is not, from the moment when the tool administers homes."""
    said = attempt()
    assert f"denied request: {rule}: " in said
    with administrator():
        wait_for(f"the tool to be let through: {rule}", lambda: attempt() == "")
    wait_for("the tool to be refused again", attempt)


def ordinary(name: str = "admission-ordinary", **spec: Any) -> Manifest:
    container = {"name": "main", "image": image(), "command": ["sleep", "600"], **CONFINED}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


# -- who makes them --------------------------------------------------------------------------


def test_a_pod_with_homes_is_the_hubs_to_make() -> None:
    pod = servers_manifest("ggroup")
    refused_until_administrator(lambda: refusal(pod, TOOL), "who")
    assert refusal(pod, HUB) == ""
    assert refusal(ordinary(), TOOL) == ""


def test_a_pod_that_only_names_the_claim_is_one_too() -> None:
    assert "denied request: who: " in refusal(ordinary(volumes=HOMES), TOOL)
    assert refusal(ordinary(), TOOL) == ""


def test_a_job_gets_no_further() -> None:
    """Its pods are not made by whoever made the job."""
    metadata = {"name": "admission-job", "namespace": NAMESPACE}
    template = {"spec": ordinary(volumes=HOMES, restartPolicy="Never")["spec"]}
    apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}})
    selector = "--field-selector=involvedObject.name=admission-job,reason=FailedCreate"

    def told() -> str:
        return kubectl("get", "events", selector, "--output=jsonpath={.items[*].message}")

    try:
        assert "denied request: who: " in wait_for("the job to be told", told)
    finally:
        kubectl("delete", "job/admission-job")


# -- who changes and enters them -------------------------------------------------------------


@pytest.fixture
def server(guser: Person) -> str:
    """The name of a server's pod."""
    name: str = cluster.user_pod(guser.name)["metadata"]["name"]
    return name


@pytest.fixture(scope="module")
def plain(_tool: None) -> Iterator[str]:
    """The name of a pod without homes, that runs."""
    name = "admission-plain"
    apply(ordinary(name))
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s", timeout=130)
    yield name
    kubectl("delete", "pod", name, "--now", "--wait=false")


def patch(pod: str, change: str, subresource: str = "") -> str:
    extra = (f"--subresource={subresource}",) if subresource else ()
    return asked(TOOL, "patch", "pod", pod, "--dry-run=server", f"--patch={change}", *extra)


PASSWD = '{"metadata": {"annotations": {"ocfspawner.ocf.io/passwd": "root:x:0:0::/:/bin/sh"}}}'
USERNAME = '{"metadata": {"annotations": {"hub.jupyter.org/username": null}}}'
LABEL = '{"metadata": {"labels": {"app.kubernetes.io/component": "other"}}}'
EPHEMERAL = json.dumps({"spec": {"ephemeralContainers": [{"name": "look", "image": "look:1", **CONFINED}]}})


@pytest.mark.parametrize(
    ("rule", "change", "subresource"),
    [
        pytest.param("change", '{"spec": {"containers": [{"name": "%s", "image": "other:1"}]}}', "", id="image"),
        pytest.param("change", '{"spec": {"activeDeadlineSeconds": 5}}', "", id="deadline"),
        pytest.param("change", EPHEMERAL, "ephemeralcontainers", id="debug container"),
        pytest.param("identity", PASSWD, "", id="passwd"),
        pytest.param("identity", USERNAME, "", id="user name"),
        pytest.param("identity", LABEL, "", id="label"),
    ],
)
def test_a_server_stays_as_it_was_made(server: str, plain: str, rule: str, change: str, subresource: str) -> None:
    def on(pod: str, container: str) -> str:
        return patch(pod, change.replace("%s", container), subresource)

    refused_until_administrator(lambda: on(server, "notebook"), rule)
    assert on(plain, "main") == ""


def test_what_does_no_harm_can_be_noted_on_a_server(server: str) -> None:
    """As controllers do."""
    assert patch(server, '{"metadata": {"annotations": {"example.org/seen": "yes"}}}') == ""


def test_exec_and_attach(server: str, plain: str, guser: Person) -> None:
    def attempt() -> str:
        return asked(TOOL, "exec", server, "--container=notebook", "--", "true")

    refused_until_administrator(attempt, "enter")
    assert "denied request: enter: " in asked(TOOL, "attach", server, "--container=notebook")
    assert asked(TOOL, "exec", plain, "--", "true") == ""
    assert guser.server().answer("GET", "/api/status")


@pytest.mark.parametrize("of", ["{}", "{}:8888", "http:{}:8888"])
def test_the_api_servers_way_to_a_servers_port(server: str, of: str) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{of.format(server)}/proxy/"
    said = asked(TOOL, "get", f"--raw={path}")
    assert "denied request: enter: " in said
    with administrator():
        wait_for("the tool to be let through", lambda: "denied request" not in asked(TOOL, "get", f"--raw={path}"))


def test_a_debug_server_is_closed_as_well() -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/%s/proxy/"
    assert "denied request: enter: " in asked(TOOL, "get", "--raw", path % "ocf-debug-any-000000")
    assert "denied request" not in asked(TOOL, "get", "--raw", path % "other-any-000000")


# -- who is the Hub --------------------------------------------------------------------------


def test_nobody_runs_as_the_hub() -> None:
    refused_until_administrator(lambda: refusal(ordinary(serviceAccountName="hub"), TOOL), "as the Hub")


@pytest.mark.parametrize("kind", ["Deployment", "Job", "CronJob"])
def test_nor_by_way_of_a_controller(kind: str) -> None:
    def manifest(account: str) -> Manifest:
        labels = {"app": "admission"}
        pod = {"metadata": {"labels": labels}, "spec": ordinary(serviceAccountName=account)["spec"]}
        spec: Manifest = {"template": pod}
        if kind == "Deployment":
            spec["selector"] = {"matchLabels": labels}
        else:
            pod["spec"]["restartPolicy"] = "Never"
        if kind == "CronJob":
            spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}
        version = "apps/v1" if kind == "Deployment" else "batch/v1"
        return {"apiVersion": version, "kind": kind, "metadata": {"name": "admission"}, "spec": spec}

    assert "denied request: as the Hub: " in refusal(manifest("hub"), TOOL)
    assert refusal(manifest("default"), TOOL) == ""


@pytest.mark.parametrize("component", ["hub", "proxy"])
def test_nobody_takes_the_place_of_hub_or_proxy(component: str) -> None:
    pod = ordinary()
    pod["metadata"]["labels"] = {"app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/component": component}
    assert "denied request: as the Hub: " in refusal(pod, TOOL)
    pod["metadata"]["labels"]["app.kubernetes.io/component"] = "course"
    assert refusal(pod, TOOL) == ""


def test_nobody_changes_the_hub() -> None:
    change = ("--dry-run=server", '--patch={"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 9}}}}')
    refused_until_administrator(lambda: asked(TOOL, "patch", "deployment", "hub", *change), "as the Hub")


def test_nobody_goes_into_the_hub() -> None:
    (hub,) = get("pods", "--selector=app.kubernetes.io/component=hub")["items"]
    refused_until_administrator(lambda: asked(TOOL, "exec", hub["metadata"]["name"], "--", "true"), "enter")


def test_nobody_gets_the_hubs_token() -> None:
    refused_until_administrator(lambda: asked(TOOL, "create", "token", "hub"), "token of the Hub")
    assert asked(TOOL, "create", "token", "default") == ""

    def secret(of: str) -> Manifest:
        metadata = {"name": "admission-token", "annotations": {"kubernetes.io/service-account.name": of}}
        kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"}
        return {**kind, "metadata": metadata}

    assert "denied request: token of the Hub: " in refusal(secret("hub"), TOOL)
    assert refusal(secret("default"), TOOL) == ""


# -- other ways to the homes -----------------------------------------------------------------


def claim(**spec: Any) -> Manifest:
    size = {"requests": {"storage": "1Mi"}}
    whole = {"accessModes": ["ReadWriteMany"], "resources": size, "storageClassName": "", **spec}
    metadata = {"name": "admission-claim"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": whole}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"volumeName": "homes"}, id="by the volume's name"),
        pytest.param({"dataSource": {"kind": "PersistentVolumeClaim", "name": "homes"}}, id="a copy"),
    ],
)
def test_another_claim_on_the_homes(spec: Manifest) -> None:
    refused_until_administrator(lambda: refusal(claim(**spec), TOOL), "claim")
    assert refusal(claim(), TOOL) == ""


def test_the_limits_are_not_for_everybody_to_change() -> None:
    def attempt() -> str:
        change = '--patch={"data": {"uid-floor": "0"}}'
        return asked(TOOL, "patch", "configmap", "homes-limits", "--dry-run=server", change)

    refused_until_administrator(attempt, "limits")
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "admission-other"}}
    assert refusal(settings, TOOL) == ""


# -- the policies themselves -----------------------------------------------------------------


def test_the_api_server_understands_every_rule() -> None:
    policies = get("validatingadmissionpolicies")["items"]
    ours = [one for one in policies if one["metadata"]["name"].startswith("ocfspawner-")]
    assert len(ours) == 6
    for policy in ours:
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert policy["status"]["typeChecking"] == {}, policy["metadata"]["name"]
