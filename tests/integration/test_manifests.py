"""What the overlays say, judged by a real API server without a change to it, and read as it stands.

Each is laid into a namespace and under names of its own: what the cluster runs has fields that can't be changed.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .support import cluster
from .support.cluster import Manifest

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = {
    "demo": DEPLOY / "overlays/demo",
    "ocf": DEPLOY / "overlays/ocf",
    "site": DEPLOY / "examples/site",
}
WITH_IMAGES = ("ocf", "site")
"""Those that name their images; ``ci/deploy`` does it for the demo."""

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
OWN_NAMESPACE = "dry-run"
OWN_PREFIX = "dry-run-"


def kustomize(folder: Path) -> list[Manifest]:
    text = cluster.run("kubectl", "kustomize", str(folder))
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Manifest]]:
    return {name: kustomize(folder) for name, folder in OVERLAYS.items()}


# -- the API server takes them ---------------------------------------------------------------


@pytest.fixture(scope="module")
def own_namespace() -> Iterator[None]:
    """A dry run makes nothing, so what it lays into a namespace needs one that is there."""
    cluster.run("kubectl", "create", "namespace", OWN_NAMESPACE)
    yield
    cluster.run("kubectl", "delete", "namespace", OWN_NAMESPACE, "--timeout=60s", timeout=90)


def laid(folder: Path, name: str, *patches: Manifest) -> Path:
    """A kustomization that puts the overlay *name* under names of its own."""
    if name == "demo":  # a port of the node belongs to one Service, and the demo that runs has it
        port = [{"op": "remove", "path": "/spec/ports/0/nodePort"}]
        patches = (*patches, {"target": {"kind": "Service", "name": "proxy"}, "patch": json.dumps(port)})
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": OWN_NAMESPACE,
        "namePrefix": OWN_PREFIX,
        "resources": [os.path.relpath(OVERLAYS[name], folder.resolve())],
        "patches": list(patches),
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def dry_run(folder: Path) -> subprocess.CompletedProcess[str]:
    """All of it is shown to the API server, which refuses fields that it does not know."""
    manifests = cluster.run("kubectl", "kustomize", str(folder))
    return subprocess.run(
        ("kubectl", "apply", "--dry-run=server", "--validate=strict", "--filename=-"),
        input=manifests,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.usefixtures("own_namespace")
def test_the_api_server_would_take_it(overlay: str, tmp_path: Path, rendered: dict[str, list[Manifest]]) -> None:
    done = dry_run(laid(tmp_path, overlay))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(rendered[overlay])
    assert all(line.endswith("(server dry run)") for line in done.stdout.splitlines())


@pytest.mark.usefixtures("own_namespace")
def test_a_field_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    misspelled = [{"op": "add", "path": "/spec/template/spec/containers/0/imagePullPolicies", "value": "Always"}]
    wrong = {"target": {"kind": "Deployment", "name": "hub"}, "patch": json.dumps(misspelled)}
    refused = dry_run(laid(tmp_path, "ocf", wrong))
    assert refused.returncode != 0
    assert 'unknown field "spec.template.spec.containers[0].imagePullPolicies"' in refused.stderr
    assert dry_run(laid(tmp_path, "ocf")).returncode == 0


# -- what holds for every pod ----------------------------------------------------------------


def workloads(manifests: list[Manifest]) -> list[tuple[str, Manifest]]:
    """Each with its name and the specification of its pods."""
    found = []
    for manifest in manifests:
        if manifest["kind"] in WORKLOADS:
            spec = manifest["spec"]["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else manifest["spec"]
            found.append((f"{manifest['kind']} {manifest['metadata']['name']}", spec["template"]["spec"]))
    return found


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def test_pods_have_no_more_rights_than_they_need(overlay: str, rendered: dict[str, list[Manifest]]) -> None:
    for name, pod in workloads(rendered[overlay]):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["enableServiceLinks"] is False, name
        assert pod.get("automountServiceAccountToken") is False or pod.get("serviceAccountName") == "hub", name
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name


def test_pods_say_what_they_need(overlay: str, rendered: dict[str, list[Manifest]]) -> None:
    for name, pod in workloads(rendered[overlay]):
        for container in containers(pod):
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_what_listens_is_looked_at(overlay: str, rendered: dict[str, list[Manifest]]) -> None:
    for name, pod in workloads(rendered[overlay]):
        for container in pod["containers"]:
            probes = {"startupProbe", "readinessProbe", "livenessProbe"} & set(container)
            assert probes or not container.get("ports"), f"{name} has ports and no probe"


@pytest.mark.parametrize("name", WITH_IMAGES)
def test_images_have_a_registry_and_a_tag(name: str, rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered[name]
    images = {container["image"] for _, pod in workloads(manifests) for container in containers(pod)}
    images.add(settings(manifests)["SINGLEUSER_IMAGE"])
    for image in images:
        place, _, tag = image.rpartition(":")
        assert "/" in place, image
        assert "." in place.split("/")[0], image
        assert tag not in ("", "latest"), image


# -- what one object says of another ---------------------------------------------------------


def named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == kind}


def settings(manifests: list[Manifest]) -> dict[str, str]:
    """What the Hub has in its environment."""
    (hub,) = (pod for name, pod in workloads(manifests) if name == "Deployment hub")
    data: dict[str, str] = {}
    for source in hub["containers"][0]["envFrom"]:
        data |= named(manifests, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    return data


def test_an_overlay_has_the_last_word(overlay: str, rendered: dict[str, list[Manifest]]) -> None:
    """Over the components that it takes, too."""
    lines = (OVERLAYS[overlay] / "settings.env").read_text(encoding="utf-8").splitlines()
    said = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert said.items() <= settings(rendered[overlay]).items()


def mounted(pod: Manifest, kind: str, key: str) -> set[str]:
    """The names of the objects that the pod can't start without."""
    sources: list[dict[str, Any]] = [volume[kind] for volume in pod.get("volumes", []) if kind in volume]
    return {source[key] for source in sources if not source.get("optional")}


def test_what_a_pod_mounts_is_there(overlay: str, rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered[overlay]
    for name, pod in workloads(manifests):
        assert mounted(pod, "configMap", "name") <= set(named(manifests, "ConfigMap")), name
        assert mounted(pod, "persistentVolumeClaim", "claimName") <= set(named(manifests, "PersistentVolumeClaim")), (
            name
        )


@pytest.mark.parametrize("name", WITH_IMAGES)
def test_one_address_for_people_and_for_the_hub(name: str, rendered: dict[str, list[Manifest]]) -> None:
    ingress = named(rendered[name], "Ingress")["proxy"]
    host = settings(rendered[name])["PUBLIC_URL"].removeprefix("https://")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == [host]
    assert ingress["spec"]["tls"][0]["hosts"] == [host]
    service = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    ports = named(rendered[name], "Service")[service["name"]]["spec"]["ports"]
    assert service["port"]["name"] in [port["name"] for port in ports]


def test_homes_are_where_the_settings_say(overlay: str, rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered[overlay]
    claim = named(manifests, "PersistentVolumeClaim")[settings(manifests)["HOMES_CLAIM"]]
    volume = named(manifests, "PersistentVolume")[claim["spec"]["volumeName"]]
    assert volume["spec"]["claimRef"] == {"namespace": "jupyterhub", "name": claim["metadata"]["name"]}
    assert claim["spec"]["accessModes"] == volume["spec"]["accessModes"] == ["ReadWriteMany"]
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def test_admission_knows_the_homes(overlay: str, rendered: dict[str, list[Manifest]]) -> None:
    limits = named(rendered[overlay], "ConfigMap")["homes-limits"]["data"]
    assert settings(rendered[overlay])["HOMES_CLAIM"] in limits["claims"].split()


def test_the_image_that_is_pulled_first_is_that_of_servers(overlay: str, rendered: dict[str, list[Manifest]]) -> None:
    (puller,) = (pod for name, pod in workloads(rendered[overlay]) if name == "DaemonSet image-puller")
    assert settings(rendered[overlay])["SINGLEUSER_IMAGE"] in {container["image"] for container in containers(puller)}


OWN_ADDRESSES = [("ocf", "169.229.226.0/24"), ("ocf", "2607:f140:8801::/48"), ("site", "192.0.2.0/24")]


@pytest.mark.parametrize(("name", "own"), OWN_ADDRESSES)
def test_a_site_is_not_the_internet(name: str, own: str, rendered: dict[str, list[Manifest]]) -> None:
    policy = named(rendered[name], "NetworkPolicy")["singleuser-internet"]
    blocks = [peer["ipBlock"] for rule in policy["spec"]["egress"] for peer in rule["to"]]
    of_its_kind = [block for block in blocks if (":" in block["cidr"]) == (":" in own)]
    assert of_its_kind
    assert all(own in block["except"] for block in of_its_kind)


@pytest.mark.parametrize("name", WITH_IMAGES)
def test_the_database_is_a_server(name: str, rendered: dict[str, list[Manifest]]) -> None:
    (hub,) = (pod for title, pod in workloads(rendered[name]) if title == "Deployment hub")
    assert "hub-database" in mounted(hub, "secret", "secretName")
    assert "hub-database" not in named(rendered[name], "PersistentVolumeClaim")
