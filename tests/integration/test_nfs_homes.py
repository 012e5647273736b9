"""Homes mounted straight from an NFS server: what the API server says of such pods, and the Hub of a missing one."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .conftest import Newcomers
from .support import cluster
from .support.cluster import kubectl
from .support.hub import Api
from .support.people import Person
from .support.reconfigured import drop_ins, reconfigured
from .support.refusals import counted, start_refused
from .support.waiting import wait_for

MANIFEST = Path(__file__).parents[1] / "unit" / "data" / "gstaff-nfs.yaml"
"""What NFSHomes makes of a pod; tests/unit holds it to that."""

SECONDS_TO_REFUSE = 40
"""3 seconds, on a machine that does nothing else."""


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty namespace under the Pod Security level *request.param*."""
    name = f"nfs-{request.param}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, f"pod-security.kubernetes.io/enforce={request.param}")
    wait_for("the namespace's service account", lambda: _service_accounts(name), timeout=30)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def _service_accounts(namespace: str) -> str:
    return kubectl("--namespace", namespace, "get", "serviceaccount", "default", "--ignore-not-found", "--output=name")


def _dry_run(namespace: str) -> subprocess.CompletedProcess[str]:
    pod = yaml.safe_load(MANIFEST.read_text())
    pod["metadata"]["name"] = "gstaff"
    command = ["kubectl", "apply", f"--namespace={namespace}", "--dry-run=server", "--validate=strict", "--filename=-"]
    return subprocess.run(command, input=json.dumps(pod), capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("namespace", ["baseline"], indirect=True)
def test_a_pod_with_an_nfs_home_is_valid_to_the_last_field(namespace: str) -> None:
    done = _dry_run(namespace)
    assert done.returncode == 0, done.stderr
    assert "created (server dry run)" in done.stdout


@pytest.mark.parametrize("namespace", ["restricted"], indirect=True)
def test_pod_security_restricted_admits_no_nfs_home(namespace: str) -> None:
    """So those who enforce it keep their homes behind a claim."""
    done = _dry_run(namespace)
    assert done.returncode != 0
    assert 'violates PodSecurity "restricted' in done.stderr
    assert 'uses restricted volume type "nfs"' in done.stderr


@pytest.fixture
def inline_homes(api: Api) -> Iterator[None]:
    """The Hub mounts each home by its own path, in a namespace where that is admitted."""
    settings = {"HOMES_CLAIM": "", "HOMES_SERVER": cluster.FILES, "HOMES_PREFIX": cluster.EXPORT}
    _enforce("baseline")
    try:
        with reconfigured(api, settings, drop_ins()):
            yield
    finally:
        _enforce("restricted")


def _enforce(level: str) -> None:
    kubectl("label", "--overwrite", "namespace", cluster.NAMESPACE, f"pod-security.kubernetes.io/enforce={level}")


def test_an_inline_home_that_is_missing_is_refused_within_seconds_until_it_is_made(
    inline_homes: None, url: str, api: Api, newcomers: Newcomers
) -> None:
    """The kubelet would try again and again, and the person would wait for the start_timeout, 60 seconds here."""
    person = Person.logged_in(url, newcomers("inline", home=False))
    with counted(api, "spawn", "home-missing"):
        refusal = start_refused(person.browser, person.name)
    assert refusal.status == 403
    assert f"The home directory of “{person.name}” does not exist on the file server." in refusal.text
    assert refusal.seconds < SECONDS_TO_REFUSE
    home = cluster.stored(person.account.home)
    assert not cluster.exists(home)
    cluster.make_home(person.account.home, person.account.uid, person.account.gid)
    api.started(person.name)
    mounted = cluster.in_pod(person.name, "grep", f" {person.account.home} ", "/proc/mounts").split()[0]
    assert mounted == f"{cluster.FILES}:{home}"
    assert person.server().python("print(open('inline.txt', 'w').write('x'))").strip() == "1"
    assert cluster.owner(f"{home}/notebooks/inline.txt") == f"{person.account.uid}:{person.account.gid}"
    api.stop(person.name)
