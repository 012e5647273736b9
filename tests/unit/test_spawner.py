"""The seams with KubeSpawner, without a Hub."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException
from kubespawner import KubeSpawner

from ocfspawner import OCFSpawner
from ocfspawner.account import Group
from ocfspawner.home import NFSHomes

from .hubless import RUNNING, FakeCluster, decided, environment, notebook, spawner
from .support import FakeDirectory, account

HOME = "/home/g/gs/gstaff"
PROFILES = [{"display_name": "Large", "kubespawner_override": {"mem_limit": "8G", "volumes": [{"name": "x"}]}}]

# -- without a directory ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"uid": 1000, "gid": 100, "fs_gid": 100, "supplemental_gids": [5]}, id="ids"),
        pytest.param({"mem_limit": "1G", "cpu_guarantee": 0.5, "extra_resource_limits": {"a/b": "1"}}, id="resources"),
        pytest.param({"notebook_dir": "/home/{username}", "working_dir": "/home/{username}"}, id="templates"),
        pytest.param({"cmd": ["jupyterhub-singleuser"], "args": ["--debug"]}, id="a command"),
        pytest.param({"privileged": True, "service_account": "x", "environment": {"HOME": "/x"}}, id="privileges"),
        pytest.param(
            {
                "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "homes"}}],
                "volume_mounts": [{"name": "home", "mountPath": "/home/{username}"}],
                "init_containers": [{"name": "x", "image": "x", "volumeMounts": [{"name": "home"}]}],
            },
            id="volumes",
        ),
        pytest.param({"profile_list": PROFILES}, id="profiles"),
    ],
)
async def test_without_a_directory_it_is_kubespawner(config: dict[str, Any]) -> None:
    ours, upstream = spawner(None, **config), spawner(None, kind=KubeSpawner, **config)
    assert await decided(ours) == await decided(upstream)
    assert ours.get_state() == upstream.get_state()
    assert (ours.cmd, ours.delete_pvc) == (upstream.cmd, upstream.delete_pvc)


async def test_without_a_directory_it_starts_as_kubespawner_does(cluster: FakeCluster) -> None:
    cluster.status = RUNNING
    assert await spawner(None).start() == "http://10.1.2.3:8888"


# -- with one --------------------------------------------------------------------------------


async def test_everything_agrees_on_who_and_where(directory: FakeDirectory) -> None:
    pod = await decided(spawner(directory, notebook_dir="~/notebooks"))
    server, variables = notebook(pod), environment(pod)
    assert (variables["HOME"], server["workingDir"], server["volumeMounts"][0]["mountPath"]) == (HOME, HOME, HOME)
    assert variables["JUPYTERHUB_ROOT_DIR"] == f"{HOME}/notebooks"
    assert (variables["USER"], variables["LOGNAME"], variables["SHELL"]) == ("gstaff", "gstaff", "/bin/bash")
    assert f"gstaff:x:12903:1000::{HOME}:/bin/bash\n" in pod["metadata"]["annotations"]["ocfspawner.ocf.io/passwd"]
    for container in [*pod["spec"]["initContainers"], server]:
        context = container["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"]) == (12903, 1000)
    assert pod["spec"]["securityContext"]["supplementalGroups"] == [1002]


@pytest.mark.parametrize(
    ("configured", "notebook_dir"),
    [
        pytest.param("", HOME, id="nothing"),
        pytest.param("~", HOME, id="the home"),
        pytest.param("~/notebooks", f"{HOME}/notebooks", id="in the home"),
        pytest.param(f"{HOME}/deep/down", f"{HOME}/deep/down", id="an absolute path in the home"),
    ],
)
async def test_the_notebook_directory(directory: FakeDirectory, configured: str, notebook_dir: str) -> None:
    pod = await decided(spawner(directory, notebook_dir=configured))
    assert environment(pod)["JUPYTERHUB_ROOT_DIR"] == notebook_dir


@pytest.mark.parametrize("configured", ["/", "/home", "~/..", "~guser", "/home/g/gu/guser", "notebooks"])
async def test_a_notebook_directory_elsewhere_is_refused(directory: FakeDirectory, configured: str) -> None:
    with pytest.raises(SpawnException) as caught:
        await decided(spawner(directory, notebook_dir=configured))
    assert caught.value.status_code == 500
    assert configured in caught.value.log_message
    assert await decided(spawner(directory, notebook_dir="~"))


async def test_configured_environment_cannot_move_the_home(directory: FakeDirectory) -> None:
    variables = {"HOME": "/tmp", "USER": "root", "JUPYTERHUB_ROOT_DIR": "/", "EDITOR": "vi"}
    found = environment(await decided(spawner(directory, environment=variables)))
    assert (found["HOME"], found["USER"], found["JUPYTERHUB_ROOT_DIR"]) == (HOME, "gstaff", HOME)
    assert found["EDITOR"] == "vi"


async def test_the_server_does_not_import_from_the_home(directory: FakeDirectory) -> None:
    args = notebook(await decided(spawner(directory)))["args"]
    assert args[-5:] == ["python3", "-s", "-P", "-m", "jupyterhub.singleuser"]


async def test_rules_decide_and_the_server_is_told(directory: FakeDirectory, tmp_path: Path) -> None:
    policy = tmp_path / "resources.yaml"
    policy.write_text("rules: [{name: staff, groups: [ocfstaff], limit: {cpu: 500m, memory: 2Gi}, extra: {a/b: 1}}]")
    pod = await decided(spawner(directory, cpu_limit=4, cpu_guarantee=0.1, policy_file=str(policy)))
    assert notebook(pod)["resources"] == {
        "limits": {"cpu": "500m", "memory": "2Gi", "a/b": "1"},
        "requests": {"cpu": "100m", "a/b": "1"},
    }
    assert environment(pod)["MEM_LIMIT"] == str(2**31)
    assert environment(pod)["CPU_LIMIT"] == "0.5"
    assert pod["metadata"]["annotations"]["ocfspawner.ocf.io/resources"].splitlines() == [
        "cpu guarantee 100m: KubeSpawner.cpu_guarantee",
        "cpu limit 500m: resources.yaml:1 rule “staff”",
        "extra a/b 1: resources.yaml:1 rule “staff”",
        "memory limit 2Gi: resources.yaml:1 rule “staff”",
    ]


EVERYTHING = """\
rules:
  - name: everyone
    guarantee: {cpu: 1, memory: 1Gi, ephemeral-storage: 1Gi}
    limit: {cpu: 2, memory: 2Gi, ephemeral-storage: 2Gi}
    extra: {nvidia.com/gpu: 1}
    shm: 1Gi
    node_selector: {disk: ssd}
    tolerations: [{key: gpu, value: a, effect: NoSchedule}, {key: spot}]
"""


async def test_everything_that_a_rule_can_give_reaches_the_pod(directory: FakeDirectory, tmp_path: Path) -> None:
    policy = tmp_path / "resources.yaml"
    policy.write_text(EVERYTHING)
    spec = (pod := await decided(spawner(directory, policy_file=str(policy))))["spec"]
    assert notebook(pod)["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi", "nvidia.com/gpu": "1"},
        "limits": {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "2Gi", "nvidia.com/gpu": "1"},
    }
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}} in spec["volumes"]
    assert {"name": "shm", "mountPath": "/dev/shm"} in notebook(pod)["volumeMounts"]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [
        {"key": "gpu", "operator": "Equal", "value": "a", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists"},
    ]


@pytest.mark.parametrize(
    "greed",
    [
        pytest.param({"mem_limit": "64G", "cpu_limit": 32, "mem_guarantee": "64G"}, id="the traits"),
        pytest.param(
            {"extra_container_config": {"resources": {"limits": {"memory": "64Gi"}}}}, id="the container's own"
        ),
        pytest.param({"extra_resource_limits": {"nvidia.com/gpu": "8"}}, id="cards"),
        pytest.param({"extra_resource_limits": {"memory": "64Gi", "cpu": "32"}}, id="memory as an extra"),
    ],
)
async def test_no_profile_exceeds_the_ceiling(directory: FakeDirectory, tmp_path: Path, greed: dict[str, Any]) -> None:
    policy = tmp_path / "resources.yaml"
    policy.write_text("ceiling: {cpu: 2, memory: 4Gi, extra: {nvidia.com/gpu: 1}}")
    profiles = [{"display_name": "Greedy", "slug": "greedy", "kubespawner_override": greed}]
    pod = await decided(spawner(directory, {"profile": "greedy"}, policy_file=str(policy), profile_list=profiles))
    resources = notebook(pod)["resources"]
    assert (resources["limits"]["memory"], resources["limits"]["cpu"]) == ("4Gi", "2")
    assert resources["limits"].get("nvidia.com/gpu", "0") in "01"
    for name, amount in resources["requests"].items():
        assert amount == resources["limits"][name], "no request above its limit"
    assert (environment(pod)["MEM_LIMIT"], environment(pod)["CPU_LIMIT"]) == (str(2**32), "2.0")


async def test_a_server_of_its_own_name_has_rules_of_its_own(directory: FakeDirectory, tmp_path: Path) -> None:
    policy = tmp_path / "resources.yaml"
    policy.write_text("rules: [{name: gpu, servers: [gpu], limit: {memory: 8Gi}}]")
    some = spawner(directory, policy_file=str(policy))
    assert not notebook(await decided(some))["resources"]["limits"]
    some.orm_spawner = SimpleNamespace(name="gpu", server=None)
    assert notebook(await decided(some))["resources"]["limits"] == {"memory": "8Gi"}


async def test_starting_again_accumulates_nothing(directory: FakeDirectory, tmp_path: Path) -> None:
    policy = tmp_path / "resources.yaml"
    policy.write_text(EVERYTHING)
    profiles = [
        {"display_name": "A", "slug": "a", "kubespawner_override": {"mem_limit": "4G", "environment": {"A": "1"}}},
        {"display_name": "B", "slug": "b", "kubespawner_override": {"cpu_limit": 1}},
    ]
    some = spawner(directory, policy_file=str(policy), profile_list=profiles)
    seen: dict[str, Any] = {}
    for _ in range(3):
        for choice in ("a", "b"):
            some.user_options = {"profile": choice}
            pod = await decided(some)
            assert seen.setdefault(choice, pod) == pod
    assert seen["a"] != seen["b"]


async def test_deleting_a_user_deletes_no_claim(directory: FakeDirectory, cluster: FakeCluster) -> None:
    await spawner(directory, pvc_name_template="homes").delete_forever()
    assert cluster.deleted == []
    await spawner(None, pvc_name_template="homes").delete_forever()
    assert cluster.deleted == ["homes"], "as KubeSpawner does"


async def test_no_text_of_the_directory_is_a_template(
    directory: FakeDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates: list[str] = []

    def expand(self: OCFSpawner, template: str, slug_scheme: str | None = None) -> str:
        templates.append(template)
        return str(original(self, template, slug_scheme))

    def format_string(self: OCFSpawner, text: str) -> str:
        templates.append(text)
        return text

    original = KubeSpawner._expand_user_properties
    monkeypatch.setattr(OCFSpawner, "_expand_user_properties", expand)
    monkeypatch.setattr(OCFSpawner, "format_string", format_string)
    await decided(spawner(directory, notebook_dir="~/notebooks", environment={"A": "{username}"}))
    assert "{username}" in templates
    assert not any(HOME in text or "ocfstaff" in text or "/bin/bash" in text for text in templates)


async def test_the_hook_of_the_administrator_has_the_last_word(directory: FakeDirectory, cluster: FakeCluster) -> None:
    def hook(_: OCFSpawner, pod: Any) -> Any:
        assert pod.spec.security_context["runAsUser"] == 12903
        pod.spec.priority_class_name = "hook"
        return pod

    cluster.status = RUNNING
    await spawner(directory, modify_pod_hook=hook).start()
    assert cluster.created[0].spec.priority_class_name == "hook"


async def test_what_nfs_does_not_carry_is_warned_of(
    directory: FakeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    groups = (Group("ocf", 1000), *(Group(f"g{gid}", gid) for gid in range(2001, 2019)))
    directory.accounts["gstaff"] = account(groups=groups)
    some = spawner(directory, homes=NFSHomes())
    some.log.propagate = True
    pod = await decided(some)
    assert pod["spec"]["securityContext"]["supplementalGroups"] == list(range(2001, 2019)), "the pod has them all"
    assert "not on files: g2017, g2018" in caplog.text
