"""The parts of the Hub as an administrator sees them: what runs and restarts, the Secrets, the database."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import cluster

HUB = "deployment/hub"
PROXY = "deployment/proxy"
MARIADB = "statefulset/mariadb"

SECRETS = Path(__file__).parents[3] / "deploy" / "secrets"
SECONDS_TO_RESTART = 180

_COMPONENTS = {HUB: "hub", PROXY: "proxy", MARIADB: "database"}


def pods(part: str) -> dict[str, int]:
    """The pods of a part by their uid, and how often their container was restarted."""
    found = cluster.get("pods", "--selector", f"app.kubernetes.io/component={_COMPONENTS[part]}")["items"]
    return {
        pod["metadata"]["uid"]: sum(status["restartCount"] for status in pod["status"].get("containerStatuses", ()))
        for pod in found
        if "deletionTimestamp" not in pod["metadata"]
    }


def delete_pod(part: str, *arguments: str) -> None:
    selector = f"--selector=app.kubernetes.io/component={_COMPONENTS[part]}"
    cluster.kubectl("delete", "pod", selector, *arguments, timeout=SECONDS_TO_RESTART)


def restart(*parts: str) -> None:
    """One after the other, each when the one before is back."""
    for part in parts:
        cluster.kubectl("rollout", "restart", part)
        rolled_out(part)


def scale(part: str, replicas: int) -> None:
    cluster.kubectl("scale", part, f"--replicas={replicas}")
    if not replicas:  # a pod that is only ending still answers
        selector = f"--selector=app.kubernetes.io/component={_COMPONENTS[part]}"
        cluster.kubectl("wait", "--for=delete", "pod", selector, "--timeout=90s", timeout=100)


def rolled_out(part: str) -> None:
    limit = f"--timeout={SECONDS_TO_RESTART}s"
    cluster.kubectl("rollout", "status", part, limit, timeout=SECONDS_TO_RESTART + 10)


def log(part: str, since: str = "10m") -> str:
    """Of all its pods that there are, and of the containers before a restart."""
    selector = f"--selector=app.kubernetes.io/component={_COMPONENTS[part]}"
    return cluster.kubectl("logs", selector, "--tail=-1", f"--since={since}")


# -- secrets ---------------------------------------------------------------------------------


def secret(name: str, key: str) -> str:
    return base64.b64decode(cluster.get("secret", name)["data"][key]).decode()


def set_secret(name: str, key: str, value: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode()}
    cluster.kubectl("patch", "secret", name, "--patch-file=/dev/stdin", stdin=json.dumps({"data": data}))


@contextmanager
def kept(name: str, key: str) -> Iterator[str]:
    """The value at the beginning, which is put back at the end."""
    value = secret(name, key)
    try:
        yield value
    finally:
        set_secret(name, key, value)


def deploy_secrets(*arguments: str) -> str:
    """What the script in deploy/ prints."""
    done = subprocess.run(
        [SECRETS, *arguments], capture_output=True, text=True, timeout=3 * SECONDS_TO_RESTART, check=False
    )
    if done.returncode:
        pytest.fail(f"deploy/secrets {' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


# -- the database ----------------------------------------------------------------------------


def sql(statements: str) -> list[list[str]]:
    """The rows that the database itself, asked by its administrator, gives; each a list of columns."""
    client = ("mariadb", "--no-defaults", "--socket=/run/mariadb/server.sock", "--default-character-set=utf8mb4")
    form = ("--batch", "--raw", "--skip-column-names", "jupyterhub")
    answer = cluster.kubectl("exec", "--stdin", "mariadb-0", "--", *client, *form, stdin=statements)
    return [line.split("\t") for line in answer.splitlines()]


# -- the overlay -----------------------------------------------------------------------------


def overlay() -> Path:
    """What ci/deploy laid and applied."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "ocfspawner" / "deploy" / cluster.CLUSTER


def apply(folder: Path) -> None:
    cluster.run("kubectl", "apply", "--kustomize", str(folder), timeout=120)
