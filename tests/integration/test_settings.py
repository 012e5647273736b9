"""Each setting of jupyterhub_config.py, seen where it acts: in the pod, on the claim, in what the Hub watches.

All at once, in one Hub with other settings than the demo's.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from .conftest import Newcomers
from .support import cluster, directory
from .support.admission import allow, apply, image, role
from .support.audit import calls
from .support.cluster import NAMESPACE, NODE, get, in_pod, kubectl, notebook_container, user_pod
from .support.directory import Account
from .support.hub import Api, seen_in
from .support.people import Person
from .support.reconfigured import drop_ins, reconfigured
from .support.refusals import counted
from .support.waiting import wait_for

LICENCE = "example.org/licence"
ADMINISTRATORS = "settings-admins"

ENVIRONMENT = {
    "IMAGE_PULL_POLICY": "Never",
    "EVENTS_ENABLED": "false",
    "SERVICE_ACCOUNT": "people",
    "STORAGE_EXTRA_LABELS": '{"example.org/course": "data8"}',
    "MEM_LIMIT": "700M",
    "MEM_GUARANTEE": "300M",
    "CPU_LIMIT": "0.75",
    "CPU_GUARANTEE": "0.05",
    "EXTRA_RESOURCE_LIMITS": json.dumps({LICENCE: "1"}),
    "EXTRA_RESOURCE_GUARANTEES": json.dumps({LICENCE: "1"}),
    "EXTRA_ENV": '{"COURSE": "data8"}',
    "NOTEBOOK_DIR": "~/course",
    "NAMED_SERVER_LIMIT": "1",
    "ADMIN_GROUPS": json.dumps([ADMINISTRATORS]),
}
"""Beside these: POD_NAMESPACE, which the Deployment sets, and SINGLEUSER_IMAGE, which takes the image's name here."""

SITE = """
c.OCFSpawner.policy_file = ""  # its rules would go before the settings
c.KubeSpawner.extra_annotations = {"example.org/site": "yes"}
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.pvc_name_template = "settings-{user_server}"
c.KubeSpawner.storage_class = "no-such-class"
c.KubeSpawner.storage_capacity = "1Mi"
c.KubeSpawner.profile_list = [
    {"display_name": "Plain", "slug": "plain", "default": True},
    {"display_name": "1", "slug": "privileged", "kubespawner_override": {"privileged": True}},
    {"display_name": "2", "slug": "uid", "kubespawner_override": {"uid": 0}},
    {"display_name": "3", "slug": "group", "kubespawner_override": {"fs_gid": 1000}},
    {"display_name": "4", "slug": "network", "kubespawner_override": {"extra_pod_config": {"hostNetwork": True}}},
    {
        "display_name": "5",
        "slug": "host-path",
        "kubespawner_override": {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]},
    },
]
"""


@dataclass(frozen=True)
class Site:
    """A Hub with other settings, and somebody whose server runs."""

    since: str
    person: Account
    administrator: Account
    image: str

    @property
    def pod(self) -> cluster.Manifest:
        return user_pod(self.person.name)


@pytest.fixture(scope="module")
def people() -> Iterator[tuple[Account, Account]]:
    """Two accounts with homes; one is in a group that administers."""
    both = Account("setter", 40901), Account("boss", 40902)
    for account in both:
        directory.add(account)
        cluster.make_home(account.home, account.uid, account.gid)
    directory.add_group(ADMINISTRATORS, 1900, [both[1].name])
    yield both
    directory.remove_group(ADMINISTRATORS)
    for account in both:
        directory.remove(account)
        cluster.remove_home(account.home)


@pytest.fixture(scope="module")
def site(api: Api, people: tuple[Account, Account]) -> Iterator[Site]:
    same_image = f"docker.io/library/{image()}"
    person, administrator = people
    metadata = {"name": "people", "namespace": NAMESPACE}
    apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    apply(*role("settings", allow("", ["persistentvolumeclaims"], "create", "get"), to="hub"))
    _licences("2")
    files = {**drop_ins(), "60-site.py": SITE}
    since = datetime.now(UTC).isoformat()
    with reconfigured(api, {**ENVIRONMENT, "SINGLEUSER_IMAGE": same_image}, files):
        api.add_user(person.name)
        api.started(person.name)
        yield Site(since, person, administrator, same_image)
        for account in people:
            api.remove_user(account.name)
    _licences(None)
    kubectl("delete", "rolebinding/settings", "role/settings", "serviceaccount/people")
    kubectl("delete", "persistentvolumeclaims", "--selector=example.org/course", "--wait=false")


def _licences(count: str | None) -> None:
    """What the node has of a resource that only its administrators know."""
    status = {"status": {kind: {LICENCE: count} for kind in ("capacity", "allocatable")}}
    kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", f"--patch={json.dumps(status)}")


# -- KubeSpawner's ---------------------------------------------------------------------------


def test_namespace(site: Site) -> None:
    (hub,) = get("pods", "--selector=app.kubernetes.io/component=hub")["items"]
    assert site.pod["metadata"]["namespace"] == hub["metadata"]["namespace"] == NAMESPACE


def test_image_and_when_it_is_pulled(site: Site) -> None:
    for container in (*site.pod["spec"]["containers"], *site.pod["spec"]["initContainers"]):
        assert container["image"] == site.image
        assert container["imagePullPolicy"] == "Never"


def test_a_hub_without_events_watches_none(site: Site) -> None:
    """With them it does: test_rights.py."""
    later = [call for call in calls() if call.time > site.since]
    assert ("create", "pods") in {(call.verb, call.resource) for call in later}
    assert not [call for call in later if call.resource == "events"]


def test_a_service_account_without_its_token(site: Site) -> None:
    assert site.pod["spec"]["serviceAccountName"] == "people"
    found = in_pod(site.person.name, "sh", "-c", "find /run/secrets /var/run/secrets 2>&1; true")
    assert "token" not in found
    assert "kubernetes.io" not in found


def test_labels_on_claims_that_kubespawner_makes(site: Site) -> None:
    (claim,) = get("persistentvolumeclaims", "--selector=example.org/course=data8")["items"]
    assert claim["metadata"]["name"].startswith("settings-")
    (homes,) = (v for v in site.pod["spec"]["volumes"] if "persistentVolumeClaim" in v)
    assert homes["persistentVolumeClaim"]["claimName"] == "homes", "the home stays where it was"


def test_resources_in_the_pod_and_in_the_kernel(site: Site) -> None:
    resources = notebook_container(site.pod)["resources"]
    assert resources["limits"] == {"cpu": "750m", "memory": "700Mi", LICENCE: "1"}
    assert resources["requests"] == {"cpu": "50m", "memory": "300Mi", LICENCE: "1"}
    read = "cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes"
    assert in_pod(site.person.name, "sh", "-c", read).strip() == str(700 * 2**20)
    told = in_pod(site.person.name, "sh", "-c", "echo $MEM_LIMIT $MEM_GUARANTEE $CPU_LIMIT $CPU_GUARANTEE").split()
    assert told == [str(700 * 2**20), str(300 * 2**20), "0.75", "0.05"]


def test_extra_resources_are_taken_from_the_node(site: Site) -> None:
    described = kubectl("describe", "node", NODE)
    (line,) = (line for line in described.partition("Allocated resources")[2].splitlines() if LICENCE in line)
    assert line.split() == [LICENCE, "1", "1"]


def test_environment(site: Site) -> None:
    assert in_pod(site.person.name, "printenv", "COURSE").strip() == "data8"


# -- the others ------------------------------------------------------------------------------


def test_notebook_dir(site: Site) -> None:
    assert in_pod(site.person.name, "printenv", "JUPYTERHUB_ROOT_DIR").strip() == f"{site.person.home}/course"
    assert cluster.exists(cluster.stored(f"{site.person.home}/course"))


def test_a_file_of_the_drop_in_folder(site: Site) -> None:
    assert site.pod["metadata"]["annotations"]["example.org/site"] == "yes"


def test_named_servers_have_a_limit(site: Site, api: Api) -> None:
    api.started(site.person.name, "one")
    try:
        answer = api.start(site.person.name, "two")
        assert answer.status_code == 400
        assert "already has the maximum of 1 named servers" in seen_in(answer).text
    finally:
        api.stop(site.person.name, "one")


def test_a_group_that_administers(site: Site, api: Api, url: str) -> None:
    for account, administers in ((site.administrator, True), (site.person, False)):
        Person.logged_in(url, account)
        assert api.user(account.name)["admin"] is administers


# -- profiles that ask for more than a server may have ----------------------------------------

RIGHTS, RULE = "rights that no server here may have", "it breaks a rule"


@pytest.mark.parametrize(
    ("profile", "refusal"),
    [
        ("privileged", ("pod-refused", RIGHTS, "asks for privileged True")),
        ("uid", ("pod-refused", RIGHTS, "asks for runAsUser 0")),
        ("group", ("pod-refused", RIGHTS, "asks for fsGroup 1000")),
        ("network", ("cluster-refused", RULE, 'violates PodSecurity "restricted')),
        ("host-path", ("cluster-refused", RULE, 'violates PodSecurity "restricted')),
    ],
)
@pytest.mark.usefixtures("site")
def test_a_profile_that_asks_for_privilege_is_refused(
    api: Api, newcomers: Newcomers, profile: str, refusal: tuple[str, str, str]
) -> None:
    """The person is told so, the log says which setting; with another profile the same person's server starts."""
    reason, read, logged = refusal
    account = newcomers("chooser")
    api.add_user(account.name)
    with counted(api, "spawn", reason):
        answer = api.start(account.name, profile=profile)
        seen = answer.text if answer.status_code != 202 else str(api.progress(account.name))
        assert read in seen
        assert "securityContext" not in seen
        assert "PodSecurity" not in seen
    log = kubectl("logs", "deployment/hub", "--since=60s")
    assert any(logged in line and account.name in line for line in log.splitlines())
    assert not cluster.user_pods(account.name)
    wait_for("the Hub to clear the refused server away", lambda: not api.user(account.name)["servers"])
    api.start(account.name, profile="plain")
    assert api.progress(account.name).get("ready")
    api.stop(account.name)  # the node has licences for two


def test_the_namespace_admits_restricted_pods_only(site: Site) -> None:
    """And a server's pod, as it is, is one."""
    labels = get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert site.pod["status"]["phase"] == "Running"
