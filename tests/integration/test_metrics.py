"""What Prometheus gets, in the way that docs/metrics.md describes, and nobody else."""

import base64
import re

import pytest
import requests

from .support import cluster
from .support.hub import SECONDS_TO_ANSWER


class Scraper:
    """What asks for metrics, with a token or without one."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._session = requests.Session()
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str = "/hub/metrics") -> requests.Response:
        return self._session.get(self._url + path, timeout=SECONDS_TO_ANSWER, allow_redirects=False)


@pytest.fixture(scope="module")
def prometheus(url: str) -> Scraper:
    """With the token from its own Secret."""
    return Scraper(url, base64.b64decode(cluster.get("secret", "hub-metrics")["data"]["token"]).decode())


def test_prometheus_reads_the_hub_with_its_token(prometheus: Scraper) -> None:
    answer = prometheus.get()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "\njupyterhub_running_servers " in answer.text
    assert '\nocfspawner_refusals_total{path="spawn",reason="home-missing"} ' in answer.text


@pytest.mark.parametrize("token", ["", "0" * 64], ids=["without a token", "with a wrong one"])
def test_nobody_else_does(url: str, prometheus: Scraper, token: str) -> None:
    refused = Scraper(url, token).get()
    assert refused.status_code == 403
    assert "read:metrics" in refused.text
    assert "ocfspawner_refusals" not in refused.text
    assert prometheus.get().ok


def test_its_token_opens_nothing_else(prometheus: Scraper) -> None:
    for path in ("/hub/api/users", "/hub/api/info", "/hub/api/proxy", "/hub/api/groups"):
        assert prometheus.get(path).status_code == 403, path
    itself = prometheus.get("/hub/api/user").json()
    assert (itself["kind"], itself["name"], itself["scopes"]) == ("service", "prometheus", ["read:metrics"])


def test_metrics_name_nobody(prometheus: Scraper) -> None:
    assert not re.search(r"guser|gstaff|ggroup", prometheus.get().text)


@pytest.mark.parametrize("component", ["hub", "proxy"])
def test_pods_say_where_their_metrics_are(component: str) -> None:
    pod = pod_of(component)
    annotations = pod["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    ports = {str(port["containerPort"]) for port in pod["spec"]["containers"][0]["ports"]}
    assert annotations["prometheus.io/port"] in ports


def test_the_proxy_counts_where_its_pod_says(url: str) -> None:
    """Asked from its own node, as the kubelet's probes are: no policy stands between them."""
    pod = pod_of("proxy")
    said = pod["metadata"]["annotations"]
    address = f"http://{pod['status']['podIP']}:{said['prometheus.io/port']}{said['prometheus.io/path']}"
    assert Scraper(url).get("/hub/health").ok
    text = cluster.on_node("curl", "--silent", "--show-error", "--fail", "--max-time", "10", address)
    assert re.search(r'^requests_proxy\{status="200"\} [1-9]', text, re.MULTILINE)


def pod_of(component: str) -> cluster.Manifest:
    pods = cluster.get("pods", "--selector", f"app.kubernetes.io/component={component}")["items"]
    pod: cluster.Manifest
    (pod,) = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return pod
