"""Who reaches what over the network: listeners of our own, and the same probe from several places."""

import json
import secrets
import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from .cluster import CLUSTER, NAMESPACE, NODE, Manifest, get, on_node, run, user_pod
from .people import Person
from .waiting import wait_for

DOCKER_NETWORK = "kind"
SECONDS = 30
"""Until a change of the rules, or of the pods that they select, is in force."""


@dataclass(frozen=True)
class Target:
    """Where a connection goes."""

    host: str
    port: int
    mark: str = ""
    """What a listener of ours says at once: elsewhere there may be somebody who answers to any address."""


Reaches = Callable[[Target], bool]
"""A place to try it from."""

# bash alone, which every image here has. Its own patience is longer than a test's: two seconds for what takes none.
_PROBE = 'exec 3<>"/dev/tcp/$1/$2" && echo reached && if [ "$3" = listen ]; then head -n 1 <&3; fi'
_LISTEN = """
import socketserver, sys

class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(sys.argv[1].encode() + b"\\n")

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

Server((sys.argv[2], int(sys.argv[3])), Handler).serve_forever()
"""


def _command(target: Target) -> list[str]:
    listen = "listen" if target.mark else ""
    return ["timeout", "2", "bash", "-c", _PROBE, "probe", target.host, str(target.port), listen]


def _reached(target: Target, output: str) -> bool:
    return "reached" in output.split() and target.mark in output


# -- places to try it from -------------------------------------------------------------------


def from_terminal(person: Person) -> Reaches:
    """A terminal in the person's own server."""

    def reaches(target: Target) -> bool:
        with person.server().terminal() as terminal:
            return _reached(target, terminal.run(shlex.join(_command(target)) + " 2>/dev/null"))

    return reaches


def from_deployment(name: str) -> Reaches:
    return lambda target: _reached(target, _exec(NAMESPACE, f"deployment/{name}", _command(target)))


def _exec(namespace: str, name: str, command: list[str]) -> str:
    return run("kubectl", "--namespace", namespace, "exec", name, "--", *command, check=False)


def who_reaches(target: Target, places: dict[str, Reaches]) -> set[str]:
    """The names of those, asked at the same time."""
    with ThreadPoolExecutor(len(places)) as threads:
        answers = threads.map(lambda place: place(target), places.values())
    return {name for name, answer in zip(places, answers, strict=True) if answer}


def is_in_reach(target: Target, place: Reaches) -> None:
    wait_for(f"{target} to be in reach", lambda: place(target), timeout=SECONDS)


def is_out_of_reach(target: Target, place: Reaches, but_reached_from: Reaches) -> None:
    """From *place*, while the same probe succeeds from elsewhere before and after."""
    is_in_reach(target, but_reached_from)
    wait_for(f"{target} to be out of reach", lambda: not place(target), timeout=SECONDS)
    is_in_reach(target, but_reached_from)


# -- listeners and pods of the tests' own ----------------------------------------------------


@dataclass(frozen=True)
class Stranger:
    """A pod that listens on port 8080, called http, in a namespace of the tests' own."""

    namespace: str
    name: str
    target: Target

    def reaches(self, target: Target) -> bool:
        return _reached(target, _exec(self.namespace, self.name, _command(target)))


@contextmanager
def namespace(**labels: str) -> Iterator[str]:
    name = f"network-test-{secrets.token_hex(3)}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    kubectl_in(name, "create", "--filename=-", stdin=json.dumps(manifest))
    try:
        yield name
    finally:
        kubectl_in(name, "delete", "namespace", name, "--wait=false")


def strangers(namespace: str, pods: dict[str, dict[str, str]]) -> list[Stranger]:
    """Pods with these labels, all of them ready."""
    mark = secrets.token_hex(8)
    items = [_stranger(namespace, name, labels, mark) for name, labels in pods.items()]
    whole = {"apiVersion": "v1", "kind": "List", "items": items}
    kubectl_in(namespace, "create", "--filename=-", stdin=json.dumps(whole))
    kubectl_in(namespace, "wait", "--for=condition=Ready", "--timeout=50s", *(f"pod/{name}" for name in pods))
    addresses = {name: _get(namespace, "pod", name)["status"]["podIP"] for name in pods}
    return [Stranger(namespace, name, Target(addresses[name], 8080, mark)) for name in pods]


def _stranger(namespace: str, name: str, labels: dict[str, str], mark: str) -> Manifest:
    container = {
        "name": "listener",
        "image": image(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _LISTEN, mark, "", "8080"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1, "failureThreshold": 60},
    }
    spec = {
        "containers": [container],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
    }
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@contextmanager
def at_the_node(address: str, port: int) -> Iterator[Target]:
    """A listener at an address that the node itself has meanwhile."""
    on_node("ip", "address", "add", f"{address}/32", "dev", "lo")
    try:
        with _listener(f"container:{NODE}", address, port) as (_, mark):
            yield Target(address, port, mark)
    finally:
        on_node("ip", "address", "delete", f"{address}/32", "dev", "lo")


@contextmanager
def outside(address: str, port: int) -> Iterator[Target]:
    """A listener in a container beside the cluster, at an address to which the node has a route meanwhile."""
    with _listener(DOCKER_NETWORK, "", port) as (name, mark):
        add = ["--entrypoint=ip", _inspect(NODE, "{{.Config.Image}}"), "address", "add", f"{address}/32", "dev", "lo"]
        run("docker", "run", "--rm", f"--network=container:{name}", "--cap-add=NET_ADMIN", *add)
        on_node("ip", "route", "add", address, "via", beside(name))
        try:
            yield Target(address, port, mark)
        finally:
            on_node("ip", "route", "delete", address)


@contextmanager
def _listener(network: str, address: str, port: int) -> Iterator[tuple[str, str]]:
    """The name of its container, and its mark."""
    name, mark = f"{CLUSTER}-listener-{secrets.token_hex(3)}", secrets.token_hex(8)
    options = ["--detach", "--rm", "--user=0", f"--name={name}", f"--network={network}", "--entrypoint=python3"]
    run("docker", "run", *options, image(), "-c", _LISTEN, mark, address, str(port))
    try:
        yield name, mark
    finally:
        run("docker", "rm", "--force", name, check=False)


def beside(container: str) -> str:
    """The address of a container in the Docker network of the cluster."""
    return _inspect(container, f'{{{{(index .NetworkSettings.Networks "{DOCKER_NETWORK}").IPAddress}}}}')


def _inspect(container: str, template: str) -> str:
    return run("docker", "inspect", "--format", template, container).strip()


def image() -> str:
    """One with bash and Python that the engine has, and the node."""
    found: str = get("deployment", "hub")["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


# -- what the cluster has --------------------------------------------------------------------


def service(name: str, namespace: str = NAMESPACE) -> Target:
    spec = _get(namespace, "service", name)["spec"]
    return Target(spec["clusterIP"], spec["ports"][0]["port"])


def server_of(username: str) -> Target:
    return Target(user_pod(username)["status"]["podIP"], 8888)


def the_node(port: int) -> Target:
    (node,) = get("nodes")["items"]
    (address,) = [entry["address"] for entry in node["status"]["addresses"] if entry["type"] == "InternalIP"][:1]
    return Target(address, port)


def _get(namespace: str, *arguments: str) -> Manifest:
    found: Manifest = json.loads(run("kubectl", "--namespace", namespace, "get", *arguments, "--output=json"))
    return found


# -- rules -----------------------------------------------------------------------------------


@contextmanager
def policy(namespace: str, spec: Manifest) -> Iterator[None]:
    """A NetworkPolicy, for all pods of the namespace unless it says which."""
    metadata = {"name": f"test-{secrets.token_hex(3)}", "namespace": namespace}
    whole = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata}
    kubectl_in(namespace, "create", "--filename=-", stdin=json.dumps({**whole, "spec": {"podSelector": {}, **spec}}))
    try:
        yield
    finally:
        kubectl_in(namespace, "delete", "networkpolicy", metadata["name"])


def kubectl_in(namespace: str, *arguments: str, stdin: str | None = None) -> str:
    return run("kubectl", "--namespace", namespace, *arguments, stdin=stdin)


def selected_by(name: str) -> set[str]:
    """The pods that a policy of the deployment selects, by the API server's own reading of its selector."""
    selector = get("networkpolicy", name)["spec"]["podSelector"]
    terms = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "In", expression
        terms.append(f"{expression['key']} in ({','.join(expression['values'])})")
    return {pod["metadata"]["name"] for pod in get("pods", "--selector", ",".join(terms))["items"]}
