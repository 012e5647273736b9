"""What people's servers reach and what reaches them: docs/network.md, row by row.

Each connection that must fail is tried beside the same one, from another place, that must succeed.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from .conftest import GGROUP
from .support import cluster, network
from .support.hub import Api
from .support.network import Reaches, Stranger, Target, is_in_reach, is_out_of_reach
from .support.people import Person
from .support.waiting import wait_for

ROOT = Path(__file__).parents[2]

METADATA = "169.254.169.254"
"""Where a cloud's machine asks who it is, and for its keys."""

INTERNET = "203.0.113.10"
"""From a range for documentation (RFC 5737), which is nobody's own network: the rules count it as internet."""

hub: Reaches = network.from_deployment("hub")
proxy: Reaches = network.from_deployment("proxy")


@pytest.fixture(scope="module", autouse=True)
def stranger() -> Iterator[Stranger]:
    """A pod that no policy selects, in a cluster that is seen to enforce policies: or the rest would prove nothing."""
    with network.namespace() as name:
        (pod,) = network.strangers(name, {"stranger": {}})
        is_in_reach(pod.target, hub)
        with network.policy(name, {"policyTypes": ["Ingress"]}):
            wait_for(
                "a policy to be enforced (on the fallback node by the service network-policies)",
                lambda: not hub(pod.target),
                timeout=network.SECONDS,
            )
        is_in_reach(pod.target, hub)
        yield pod


@pytest.fixture
def from_stranger(stranger: Stranger) -> Reaches:
    return stranger.reaches


@pytest.fixture(scope="module")
def person(guser: Person) -> Reaches:
    """guser, at a terminal in their server."""
    return network.from_terminal(guser)


# -- what a person's server reaches ----------------------------------------------------------


def test_names_and_the_hub(guser: Person, person: Reaches) -> None:
    is_in_reach(Target("hub", 8081), person)
    code = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"
    assert guser.server().python(code).strip() == network.service("kubernetes", "default").host


def test_the_internet(person: Reaches, from_stranger: Reaches) -> None:
    with network.outside(INTERNET, 443) as target:
        is_in_reach(target, from_stranger)
        is_in_reach(target, person)


# -- and what not ----------------------------------------------------------------------------

FORBIDDEN: dict[str, tuple[Callable[[], Target], str]] = {
    # What: where it is, and who does reach it.
    "the API server by its Service": (lambda: network.service("kubernetes", "default"), "stranger"),
    "the API server by its node": (lambda: network.the_node(6443), "stranger"),
    "a node's kubelet": (lambda: network.the_node(10250), "stranger"),
    "the directory": (lambda: network.service("ldap"), "hub"),
    "the database": (lambda: network.service("mariadb"), "hub"),
    "the file server": (lambda: Target(network.beside(cluster.FILES), 2049), "stranger"),
    "the proxy's API": (lambda: network.service("proxy-api"), "hub"),
    "another person's server": (lambda: network.server_of("gstaff"), "hub"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.usefixtures("gstaff")
def test_out_of_reach_of_a_persons_server(what: str, person: Reaches, from_stranger: Reaches) -> None:
    where, who = FORBIDDEN[what]
    is_out_of_reach(where(), person, but_reached_from={"hub": hub, "stranger": from_stranger}[who])


def test_the_metadata_of_a_cloud(person: Reaches, from_stranger: Reaches) -> None:
    with network.at_the_node(METADATA, 80) as target:
        is_out_of_reach(target, person, but_reached_from=from_stranger)


def test_pods_of_other_namespaces(person: Reaches, stranger: Stranger) -> None:
    is_out_of_reach(stranger.target, person, but_reached_from=hub)


# -- who reaches what of ours ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "who"),
    [
        pytest.param(lambda: network.server_of("guser"), hub, id="a person's server"),
        pytest.param(lambda: network.server_of("guser"), proxy, id="a person's server, which the proxy reaches"),
        pytest.param(lambda: network.service("hub"), proxy, id="the Hub"),
        pytest.param(lambda: network.service("proxy-api"), hub, id="the proxy's API"),
        pytest.param(lambda: network.service("ldap"), hub, id="the directory"),
        pytest.param(lambda: network.service("mariadb"), hub, id="the database"),
    ],
)
@pytest.mark.usefixtures("guser")
def test_out_of_a_strangers_reach(where: Callable[[], Target], who: Reaches, from_stranger: Reaches) -> None:
    is_out_of_reach(where(), from_stranger, but_reached_from=who)


def test_the_proxy_is_there_for_everybody(from_stranger: Reaches) -> None:
    is_in_reach(network.service("proxy"), from_stranger)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(lambda: network.service("kubernetes", "default"), id="the API server"),
        pytest.param(lambda: network.service("ldap"), id="the directory"),
        pytest.param(lambda: network.service("mariadb"), id="the database"),
    ],
)
def test_out_of_the_proxys_reach(where: Callable[[], Target]) -> None:
    is_out_of_reach(where(), proxy, but_reached_from=hub)


def test_prometheus_is_let_in_where_its_namespace_says_so(stranger: Stranger) -> None:
    metrics = network.service("hub")
    is_out_of_reach(metrics, stranger.reaches, but_reached_from=proxy)
    network.kubectl_in(
        stranger.namespace, "label", "namespace", stranger.namespace, "ocfspawner.ocf.io/metrics=scrape"
    )
    try:
        is_in_reach(metrics, stranger.reaches)
    finally:
        network.kubectl_in(stranger.namespace, "label", "namespace", stranger.namespace, "ocfspawner.ocf.io/metrics-")
    is_out_of_reach(metrics, stranger.reaches, but_reached_from=proxy)


# -- a site's own ---------------------------------------------------------------------------


def test_a_site_excepts_its_own_networks_as_the_documentation_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "network.md").read_text()
    (patch,) = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if block.startswith("patches:")]
    base = os.path.relpath(ROOT / "deploy" / "base", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base}]\n{patch}")
    built = yaml.safe_load_all(cluster.run("kubectl", "kustomize", str(tmp_path)))
    (policy,) = [
        one for one in built if (one["kind"], one["metadata"]["name"]) == ("NetworkPolicy", "singleuser-internet")
    ]
    excepted = [rule["to"][0]["ipBlock"]["except"] for rule in policy["spec"]["egress"]]
    assert "169.254.0.0/16" in excepted[0]
    assert excepted[0][-1] == "169.229.226.0/24"
    assert excepted[1][-1] == "2607:f140:8801::/48"


# -- which pods ------------------------------------------------------------------------------


def test_the_policies_select_every_pod_in_which_people_work(guser: Person, api: Api) -> None:
    """The default server, a named one, and the one that an administrator starts to look at."""
    api.started(guser.name, "second")
    try:
        cluster.kubectl("exec", "deployment/hub", "--", "ocfspawner", "spawn", GGROUP.name, "--keep", timeout=180)
        names = {pod["metadata"]["name"] for pod in cluster.get("pods")["items"]}
        (debug,) = [name for name in names if name.startswith("ocf-debug-")]
        servers = {pod["metadata"]["name"] for pod in cluster.user_pods(guser.name)}
        assert len(servers) == 2
        for policy in ("singleuser", "singleuser-internet"):
            assert network.selected_by(policy) >= {*servers, debug}
            assert network.selected_by(policy) <= {
                name for name in names if name.startswith(("jupyter-", "ocf-debug-"))
            }
    finally:
        api.stop(guser.name, "second")
        cluster.kubectl("delete", "pod", "--selector=component=debug-spawn", "--now")
