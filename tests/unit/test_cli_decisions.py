"""explain, manifest, simulate and policy, over a file of accounts: no directory, no cluster."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ocfspawner.cli.main import main
from ocfspawner.cli.simulation import allocatable, shown

LDIF = Path(__file__).parent / "data" / "people.ldif"
Capture = pytest.CaptureFixture[str]
Run = Callable[..., str]

CONFIG = """\
c = get_config()
c.JupyterHub.spawner_class = "ocf"
c.JupyterHub.hub_connect_url = "http://hub:8081"
c.JupyterHub.base_url = "/jupyter/"
c.KubeSpawner.image = "image:1"
c.KubeSpawner.namespace = "people"
c.KubeSpawner.mem_limit = "1G"
c.KubeSpawner.environment = {"MY_PASSWORD": "hunter2", "DATABASE": "mysql://me:hunter2@db/x"}
c.Spawner.notebook_dir = "~/notebooks"
"""

POLICY = """\
rules:
  - name: everyone
    guarantee: {cpu: 100m, memory: 256Mi}
    limit: {cpu: 1, memory: 1Gi}
  - name: staff
    groups: [ocfstaff]
    limit: {memory: 4Gi}
  - name: gone
    users: [nobody.here]
    limit: {memory: 8Gi}
  - name: thesis
    users: [guser]
    until: 2020-01-31
    limit: {memory: 8Gi}
  - name: cards
    servers: [gpu]
    extra: {nvidia.com/gpu: 1}
ceiling: {memory: 2Gi}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "resources.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def run(tmp_path: Path, policy: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with a configuration; its standard output."""
    monkeypatch.setenv("KUBECONFIG", "/does/not/exist")
    config = tmp_path / "jupyterhub_config.py"
    config.write_text(f"{CONFIG}c.OCFSpawner.policy_file = {str(policy)!r}\n")

    def call(*arguments: str | Path, status: int = 0) -> str:
        ended = main([str(argument) for argument in (*arguments, "-f", config)])
        said = capsys.readouterr()
        assert ended == status, said.err + said.out
        return said.out if status == 0 or "json" in arguments else said.err

    return call


# -- explain ---------------------------------------------------------------------------------


def test_explain_names_who_decided_and_what_was_overridden(run: Run) -> None:
    found = json.loads(run("explain", "gstaff", "--ldif", LDIF, "--output", "json"))
    assert (found["uid"], found["home"]["path"], found["home"]["sub_path"]) == (
        12903,
        "/home/g/gs/gstaff",
        "g/gs/gstaff",
    )
    (memory,) = [one for one in found["resources"] if one["name"] == "memory limit"]
    assert (memory["value"], memory["by"]) == ("2Gi", "resources.yaml:18 ceiling")
    assert memory["overrode"] == [
        {"value": "4Gi", "by": "resources.yaml:5 rule “staff”"},
        {"value": "1Gi", "by": "resources.yaml:2 rule “everyone”"},
        {"value": "1Gi", "by": "KubeSpawner.mem_limit"},
    ]
    text = run("explain", "gstaff", "--ldif", LDIF)
    assert "overridden: resources.yaml:5 rule “staff”" in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_explain_knows_named_servers_and_another_policy(run: Run, tmp_path: Path) -> None:
    found = json.loads(run("explain", "guser", "--server", "gpu", "--ldif", LDIF, "--output", "json"))
    assert {"name": "extra nvidia.com/gpu", "value": "1"}.items() <= found["resources"][2].items()
    other = tmp_path / "other.yaml"
    other.write_text("rules: [{name: all, limit: {cpu: 7}}]")
    assert "other.yaml:1 rule “all”" in run("explain", "guser", "--policy", other, "--ldif", LDIF)


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        pytest.param("ofc", "account-disabled", id="disabled"),
        pytest.param("nohome", "entry-malformed", id="malformed"),
        pytest.param("nobody", "no-such-account", id="unknown"),
    ],
)
def test_who_is_refused_is_refused_with_the_hub_s_words(run: Run, user: str, reason: str) -> None:
    for command in ("explain", "manifest"):
        assert run(command, user, "--ldif", LDIF, status=1).startswith(f"{reason}: ")
    found = json.loads(run("explain", user, "--ldif", LDIF, "--output", "json", status=1))
    assert found["refused"]["reason"] == reason


def test_a_bad_policy_is_said_with_its_line(run: Run, policy: Path) -> None:
    policy.write_text("rules: [{name: a, limit: {memory: 2G}}]")
    assert "resources.yaml:1: rules.0.limit.memory" in run("explain", "guser", "--ldif", LDIF, status=1)
    assert "resources.yaml:1: rules.0.limit.memory" in run("simulate", "--ldif", LDIF, status=1)


# -- manifest --------------------------------------------------------------------------------


def pod_of(run: Run, *arguments: str) -> dict[str, Any]:
    pod: dict[str, Any] = yaml.safe_load(run("manifest", *arguments, "--ldif", LDIF))
    return pod


def test_the_manifest_is_the_hub_s_without_its_secrets(run: Run) -> None:
    pod = pod_of(run, "gstaff")
    assert (pod["kind"], pod["metadata"]["name"]) == ("Pod", "jupyter-gstaff")
    (notebook,) = pod["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in notebook["env"]}
    assert environment["JUPYTERHUB_API_URL"] == "http://hub:8081/jupyter/hub/api"
    assert environment["JUPYTERHUB_SERVICE_PREFIX"] == "/jupyter/user/gstaff/"
    assert environment["HOME"] == "/home/g/gs/gstaff"
    hidden = ("MY_PASSWORD", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")
    assert {environment[name] for name in hidden} == {"[secret]"}
    assert environment["DATABASE"] == "mysql://me:[secret]@db/x"
    assert "hunter2" not in json.dumps(pod)
    assert notebook["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    assert json.loads(run("manifest", "gstaff", "--ldif", LDIF, "--output", "json")) == pod


def test_a_named_server_has_its_own_pod(run: Run) -> None:
    pod = pod_of(run, "gstaff", "--server", "gpu")
    assert pod["metadata"]["annotations"]["hub.jupyter.org/servername"] == "gpu"
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_two_people_s_pods_compared(run: Run) -> None:
    lines = run("manifest", "gstaff", "--diff", "guser", "--ldif", LDIF).splitlines()
    assert "-    runAsUser: 35712" in lines
    assert "+    runAsUser: 12903" in lines
    same = json.loads(run("manifest", "gstaff", "--diff", "gstaff", "--ldif", LDIF, "--output", "json"))
    assert (same["same"], same["diff"]) == (True, [])


def test_without_a_cluster_what_needs_one_says_so(run: Run) -> None:
    for option in ("--dry-run", "--diff"):
        assert run("manifest", "guser", "--ldif", LDIF, option, status=1).startswith("no-cluster: ")


def test_the_admin_s_last_word_is_in_it(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "jupyterhub_config.py"
    hook = "def hook(spawner, pod):\n    pod.metadata.labels['site'] = spawner.user.name\n    return pod\n"
    config.write_text(f"{config.read_text()}{hook}c.KubeSpawner.modify_pod_hook = hook\n")
    assert pod_of(run, "guser")["metadata"]["labels"]["site"] == "guser"


def test_a_hook_that_fails_is_the_admin_s_mistake_and_no_bug(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "jupyterhub_config.py"
    hook = "def hook(spawner, pod):\n    return pod.spec['volumes']\n"
    config.write_text(f"{config.read_text()}{hook}c.KubeSpawner.modify_pod_hook = hook\n")
    said = run("manifest", "guser", "--ldif", LDIF, status=1)
    assert said.startswith("misconfigured: modify_pod_hook: TypeError: ")


def test_group_overrides_count_as_in_the_hub(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "jupyterhub_config.py"
    overrides = {"staff": {"groups": ["ocfstaff"], "spawner_override": {"image": "staff:2"}}}
    config.write_text(f"{config.read_text()}c.Spawner.group_overrides = {overrides!r}\n")
    assert pod_of(run, "gstaff")["spec"]["containers"][0]["image"] == "staff:2"
    assert pod_of(run, "guser")["spec"]["containers"][0]["image"] == "image:1"
    assert json.loads(run("simulate", "--ldif", LDIF, "--output", "json"))["served"] == 2


# -- simulate --------------------------------------------------------------------------------


def test_simulate_adds_up(run: Run) -> None:
    found = json.loads(run("simulate", "--ldif", LDIF, "--output", "json"))
    assert (found["accounts"], found["served"]) == (4, 2)
    assert [one["username"] for one in found["refused"]] == ["nohome", "ofc"]
    assert sorted((share["resources"]["memory limit"], share["examples"]) for share in found["shares"]) == [
        ("1Gi", ["guser"]),
        ("2Gi", ["gstaff"]),
    ]
    assert found["guarantees"]["cpu"] == {"all_servers": "200m", "nodes": None}
    assert found["guarantees"]["memory"]["all_servers"] == "512Mi"
    assert {use["origin"].rpartition(" ")[2]: use["remark"] for use in found["rules"]} == {
        "“everyone”": "",
        "“staff”": "always overridden",
        "“gone”": "matches nobody",
        "“thesis”": "over since 2020-01-31",
        "“cards”": "matches nobody",
        "ceiling": "",
    }
    text = run("simulate", "--ldif", LDIF)
    assert text.startswith("4 accounts, 2 get a server, 2 are refused\n")
    assert "account-disabled" in text


def test_simulate_for_some(run: Run, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("# two\n guser\n  # not me\n\nnobody\n")
    found = json.loads(run("simulate", "--users", users, "--ldif", LDIF, "--output", "json"))
    assert [(one["username"], one["reason"]) for one in found["refused"]] == [("nobody", "no-such-account")]
    found = json.loads(run("simulate", "--group", "ocfstaff", "--ldif", LDIF, "--output", "json"))
    assert (found["accounts"], found["shares"][0]["examples"]) == (1, ["gstaff"])


def test_what_the_nodes_have_is_read_as_the_api_server_writes_it() -> None:
    nodes: list[dict[str, Any]] = [
        {"spec": {}, "status": {"allocatable": {"cpu": "1930m", "memory": "8Gi", "fuse": "5k", "hugepages-1Gi": "0"}}},
        {"spec": {}, "status": {"allocatable": {"cpu": "2", "memory": "1073741824", "fuse": "3"}}},
        {"spec": {"unschedulable": True}, "status": {"allocatable": {"cpu": "64"}}},
    ]
    found = {name: shown(name, amount) for name, amount in allocatable(nodes).items()}
    assert found == {"cpu": "3930m", "memory": "9.0Gi", "fuse": "5003", "hugepages-1Gi": "0"}


# -- policy ----------------------------------------------------------------------------------


def test_policy_diff_says_who_and_what(run: Run, policy: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(POLICY.replace("ceiling: {memory: 2Gi}", "").replace("cpu: 100m", "cpu: 200m"))
    found = json.loads(run("policy", "diff", policy, new, "--ldif", LDIF, "--output", "json"))
    assert (found["accounts"], found["changed"]) == (4, 2)
    assert found["changes"] == [
        {"resource": "cpu guarantee", "old": "100m", "new": "200m", "accounts": ["gstaff", "guser"]},
        {"resource": "memory limit", "old": "2Gi", "new": "4Gi", "accounts": ["gstaff"]},
    ]
    assert "2 would get something else" in run("policy", "diff", policy, new, "--ldif", LDIF)
    assert "0 would get something else" in run("policy", "diff", policy, policy, "--ldif", LDIF)


def test_policy_diff_runs_without_any_configuration(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["policy", "diff", str(policy), str(policy), "--ldif", str(LDIF)]) == 0
    assert "ocfspawner's defaults" in capsys.readouterr().err


def test_policy_check(policy: Path, capsys: Capture) -> None:
    assert main(["policy", "check", str(policy)]) == 0
    said = capsys.readouterr().out
    assert "rule “thesis”: over since 2020-01-31" in said
    assert "rule “staff”: memory limit 4Gi is above the ceiling, 2Gi" in said
    assert said.splitlines()[-1] == f"{policy}: valid, 5 rules, ceiling: memory limit 2Gi"
    policy.write_text("rules: [{name: a, limit: {cpu: 1}}, {name: b, limit: {cpu: 2}}]")
    assert main(["policy", "check", str(policy), "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["remarks"] == [
        "resources.yaml:1 rule “a”: always overridden, by rules for everyone below it"
    ]
    policy.write_text("rules: [{name: a, limit: {cpu: 1}}, {nam: b}]\nceiling: 5")
    assert main(["policy", "check", str(policy)]) == 1
    assert len(capsys.readouterr().err.splitlines()) >= 3


def test_policy_schema_is_json(capsys: Capture) -> None:
    assert main(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "ocfspawner resource policy"
