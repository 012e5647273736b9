"""Homes mounted straight from an NFS server: what the API server says of such a pod."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .support.cluster import kubectl
from .support.waiting import wait_for

MANIFEST = Path(__file__).parents[1] / "unit" / "data" / "gstaff-nfs.yaml"
"""What NFSHomes makes of a pod; tests/unit holds it to that."""


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
