"""A look at the cluster from outside the Hub: kubectl for objects and pods, docker for node and file server."""

import json
import os
import subprocess
from typing import Any

NAMESPACE = "jupyterhub"
CLUSTER = os.environ.get("TEST_CLUSTER", "ocfspawner-test")
"""Another one, made with ``ci/deploy``, for whoever works on several branches at once."""

NODE = f"{CLUSTER}-control-plane"
FILES = f"{CLUSTER}-files"
"""The file server: a container beside the node, and its name in the network of both."""

EXPORT = "/srv/homes"
"""What it exports."""

HOMES = f"{EXPORT}/home"
"""Where the homes lie there: what the claim ``homes`` mounts."""

USERNAME_ANNOTATION = "hub.jupyter.org/username"
SERVER_ANNOTATION = "hub.jupyter.org/servername"

Manifest = dict[str, Any]


def run(*command: str, stdin: str | None = None, timeout: float = 60, check: bool = True) -> str:
    """The standard output of *command*; what it wrote to both when it fails and *check* is set."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
    return run("kubectl", "--namespace", NAMESPACE, *arguments, stdin=stdin, timeout=timeout)


def get(*arguments: str) -> Manifest:
    manifest: Manifest = json.loads(kubectl("get", *arguments, "--output", "json"))
    return manifest


def is_ours() -> bool:
    """Whether kubectl speaks to the tests' own cluster."""
    if "KUBECONFIG" not in os.environ:
        return False
    return run("kubectl", "config", "current-context", check=False).strip() == f"kind-{CLUSTER}"


def address() -> str:
    """The URL under which this machine reaches the proxy."""
    return f"http://{run('docker', 'port', NODE, '30080/tcp').split()[0]}"


# -- people's pods ---------------------------------------------------------------------------


def user_pods(username: str) -> list[Manifest]:
    pods = get("pods", "--selector", "component=singleuser-server")["items"]
    return [pod for pod in pods if pod["metadata"]["annotations"][USERNAME_ANNOTATION] == username]


def user_pod(username: str, server: str = "") -> Manifest:
    """The one pod of that server."""
    pods = [p for p in user_pods(username) if p["metadata"]["annotations"].get(SERVER_ANNOTATION, "") == server]
    assert len(pods) == 1, f"{username} has {len(pods)} pods for the server {server!r}"
    return pods[0]


def in_pod(username: str, *command: str, server: str = "", check: bool = True) -> str:
    """The output of *command*, run in the notebook container as whoever the container runs as."""
    pod = user_pod(username, server)["metadata"]["name"]
    return run("kubectl", "--namespace", NAMESPACE, "exec", pod, "--container=notebook", "--", *command, check=check)


def notebook_container(pod: Manifest) -> Manifest:
    container: Manifest = next(c for c in pod["spec"]["containers"] if c["name"] == "notebook")
    return container


def on_node(*command: str, check: bool = True) -> str:
    return run("docker", "exec", NODE, *command, check=check)


# -- the file server -------------------------------------------------------------------------


def on_files(*command: str, check: bool = True) -> str:
    """The output of *command*, run on the file server as root."""
    return run("docker", "exec", FILES, *command, check=check)


def stored(home: str) -> str:
    """Where the file server keeps the home directory *home*."""
    return EXPORT + home


def make_home(home: str, uid: int, gid: int) -> None:
    on_files("install", "-d", "-m", "0700", "-o", str(uid), "-g", str(gid), stored(home))


def remove_home(home: str) -> None:
    on_files("rm", "-rf", stored(home))


def exists(path: str) -> bool:
    return on_files("sh", "-c", '[ -e "$1" ] || [ -L "$1" ]; echo $?', "sh", path).strip() == "0"


def owner(path: str) -> str:
    """``uid:gid`` of a file on the file server."""
    return on_files("stat", "--format=%u:%g", path).strip()
