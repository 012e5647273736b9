"""A pod of the tests' own, in a namespace of its own, that mounts all homes by NFS: as an intruder would like to have
one, as who owns a home, and as root."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .cluster import FILES, HOMES, get, kubectl
from .waiting import wait_for

NAMESPACE = "outsider"
STRANGER, ROOT = 39999, 0


@dataclass(frozen=True)
class Outsider:
    """The pod, with a container for each of some user ids."""

    def run(self, uid: int, script: str) -> tuple[int, str]:
        """The exit status of a shell script, run with that user id, and all that it wrote; homes lie at /homes."""
        command = ["kubectl", "--namespace", NAMESPACE, "exec", "outsider", "--container", f"uid{uid}", "--"]
        done = subprocess.run([*command, "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr


@contextmanager
def outsider(*uids: int) -> Iterator[Outsider]:
    """Up while the block runs."""
    kubectl("create", "namespace", NAMESPACE)
    try:
        wait_for("the namespace's service account", _service_account, timeout=60)
        kubectl("--namespace", NAMESPACE, "create", "--filename=-", stdin=json.dumps(_pod(uids)))
        kubectl(
            "--namespace", NAMESPACE, "wait", "--for=condition=Ready", "pod/outsider", "--timeout=90s", timeout=100
        )
        yield Outsider()
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=true", "--timeout=100s", timeout=110)


def _service_account() -> str:
    return kubectl("--namespace", NAMESPACE, "get", "serviceaccount", "default", "--ignore-not-found", "--output=name")


def _pod(uids: tuple[int, ...]) -> Mapping[str, object]:
    """Whatever image the Hub has: it is on the node."""
    image = get("deployment", "hub")["spec"]["template"]["spec"]["containers"][0]["image"]
    containers = [
        {
            "name": f"uid{uid}",
            "image": image,
            "command": ["sleep", "infinity"],
            "workingDir": "/",
            "securityContext": {"runAsUser": uid, "runAsGroup": uid},
            "volumeMounts": [{"name": "homes", "mountPath": "/homes"}],
        }
        for uid in uids
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "outsider"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "containers": containers,
            "volumes": [{"name": "homes", "nfs": {"server": FILES, "path": HOMES}}],
        },
    }
