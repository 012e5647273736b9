"""``ocfspawner`` in the Hub's pod, as an administrator runs it: kubectl exec deploy/hub -- ocfspawner …"""

import subprocess
from collections.abc import Callable, Iterator

import pytest

from .conftest import GGROUP
from .support import cluster
from .support.command import FINE, INTERRUPTED, REFUSED, in_hub, ocfspawner
from .support.directory import Account
from .support.people import Person
from .support.waiting import wait_for

Newcomers = Callable[..., Account]


def debug_pods() -> list[str]:
    pods = cluster.get("pods", "--selector", "component=debug-spawn")["items"]
    return [pod["metadata"]["name"] for pod in pods]


def claims() -> set[str]:
    return {claim["metadata"]["name"] for claim in cluster.get("persistentvolumeclaims")["items"]}


def files_of(account: Account) -> str:
    return cluster.on_files("find", cluster.stored(account.home), "-printf", "%p %u %m %T@\\n", check=False)


@pytest.fixture
def configured() -> Iterator[Callable[[str], str]]:
    """Writes a configuration in the Hub's pod that goes on from the Hub's own; its path."""

    def write(text: str) -> str:
        path = "/tmp/test_cli_config.py"
        whole = f'load_subconfig("/srv/jupyterhub/jupyterhub_config.py")\n{text}\n'
        assert in_hub("sh", "-c", f"cat >{path}", stdin=whole).status == 0
        return path

    yield write
    in_hub("sh", "-c", "rm -f /tmp/test_cli_*")


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    before = claims()
    yield
    assert debug_pods() == []
    assert claims() == before


# -- the debug spawn -------------------------------------------------------------------------


def test_a_debug_spawn_of_somebody_who_is_fine(guser: Person) -> None:
    before, files = cluster.user_pod(guser.name)["metadata"]["uid"], files_of(guser.account)
    ended = ocfspawner("spawn", guser.name, "--output", "json")
    found = ended.json
    assert (ended.status, found["ok"], found["verdict"]["reason"]) == (FINE, True, "fine"), ended
    assert {check["name"] for check in found["checks"]} >= {"ids", "home", "notebook_dir", "network", "reachable"}
    names = [phase["name"] for phase in found["phases"]]
    wanted = ["configuration", "directory", "policy", "created", "scheduled", "home check", "started", "answering"]
    assert [name for name in names if name in wanted] == wanted
    assert all(phase["seconds"] >= 0 for phase in found["phases"])
    assert any(event["reason"] == "Scheduled" for event in found["events"])
    assert found["log"], "the server's own log"
    assert cluster.user_pod(guser.name)["metadata"]["uid"] == before, "their own server is left alone"
    assert files_of(guser.account) == files, "and so is their home"


def test_a_debug_spawn_shows_what_it_does_and_ends_with_a_sentence(newcomers: Newcomers) -> None:
    account = newcomers("debug")
    ended = ocfspawner("spawn", account.name)
    assert ended.status == FINE, ended
    lines = ended.out.splitlines()
    assert lines[0] == f"Debug spawn of {account.name}"
    assert lines[-1] == f"{account.name}'s server starts and answers."
    assert "\x1b" not in ended.out, "no colours where there is no terminal"
    assert cluster.stored(f"{account.home}/notebooks") not in files_of(account), "nothing is made in a read-only home"


def test_with_the_home_as_a_server_has_it(newcomers: Newcomers) -> None:
    account = newcomers("debug")
    ended = ocfspawner("spawn", account.name, "--read-write", "--output", "json")
    assert ended.status == FINE, ended
    assert cluster.stored(f"{account.home}/notebooks") in files_of(account)


def test_a_missing_home(newcomers: Newcomers) -> None:
    nemo = newcomers("nemo", home=False)
    ended = ocfspawner("spawn", nemo.name)
    assert ended.status == REFUSED
    sentence, cure = ended.out.splitlines()[-2:]
    assert sentence == f"The home {nemo.home} of “{nemo.name}” does not exist."
    assert cure == f"Make {nemo.home} on the file server, owned by {nemo.uid}:{nemo.gid}."
    assert not cluster.exists(cluster.stored(nemo.home)), "nothing is made in its place"
    cluster.make_home(nemo.home, nemo.uid, nemo.gid)
    assert ocfspawner("spawn", nemo.name).status == FINE


def test_an_image_that_does_not_exist(configured: Callable[[str], str]) -> None:
    config = configured('c.KubeSpawner.image = "registry.invalid/no/such:1"')
    ended = ocfspawner("spawn", GGROUP.name, "-f", config)
    assert ended.status == REFUSED
    assert ended.out.splitlines()[-2].startswith("The image registry.invalid/no/such:1 can't be pulled (")


def test_a_guarantee_that_fits_no_node(configured: Callable[[str], str]) -> None:
    config = configured('c.OCFSpawner.policy_file = "/tmp/test_cli_policy.yaml"')
    policy = "rules:\n  - name: big\n    guarantee: {memory: 900Ti}\n    limit: {memory: 900Ti}\n"
    in_hub("sh", "-c", "cat >/tmp/test_cli_policy.yaml", stdin=policy)
    ended = ocfspawner("spawn", GGROUP.name, "-f", config)
    assert ended.status == REFUSED
    sentence = "No node has room for 900Ti of memory (decided by test_cli_policy.yaml:2 rule “big”)."
    assert ended.out.splitlines()[-2] == sentence


def test_a_directory_that_is_down(configured: Callable[[str], str]) -> None:
    config = configured('c.LDAPDirectory.urls = ["ldaps://127.0.0.1:1"]\nc.LDAPDirectory.deadline = 3')
    ended = ocfspawner("spawn", GGROUP.name, "-f", config)
    assert ended.status == REFUSED
    sentence, cure = ended.out.splitlines()[-2:]
    assert sentence.startswith("The directory can't be reached: ")
    assert "127.0.0.1:1" in sentence
    assert cure.startswith("Is the address right")
    assert "Traceback" not in ended.err


def test_somebody_who_is_refused_has_no_pod_at_all() -> None:
    ended = ocfspawner("spawn", "ofc", "--output", "json")
    assert (ended.status, ended.json["verdict"]["reason"], ended.json["pod"]) == (REFUSED, "account-disabled", "")


@pytest.mark.parametrize("signal", ["INT", "TERM", "HUP"])
def test_interrupted_half_way(signal: str) -> None:
    script = "echo $$ >/tmp/test_cli_pid; exec ocfspawner spawn ggroup"
    command = ["kubectl", "--namespace", cluster.NAMESPACE, "exec", "deployment/hub", "--", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as spawn:
        wait_for("the debug pod", debug_pods)
        in_hub("sh", "-c", f"kill -{signal} $(cat /tmp/test_cli_pid)")
        out, _ = spawn.communicate(timeout=60)
    in_hub("rm", "-f", "/tmp/test_cli_pid")
    assert spawn.returncode == INTERRUPTED, out
    assert "interrupted" in out
    assert debug_pods() == []


def test_a_pod_that_is_kept_says_how_to_get_in_and_how_to_remove_it() -> None:
    ended = ocfspawner("spawn", GGROUP.name, "--keep")
    (pod,) = debug_pods()
    try:
        assert ended.status == FINE
        assert f"delete pod {pod}" in ended.err
        assert cluster.kubectl("exec", pod, "--container=notebook", "--", "id", "--user").strip() == str(GGROUP.uid)
    finally:
        cluster.kubectl("delete", "pod", pod, "--now")


# -- the others ------------------------------------------------------------------------------


def test_the_manifest_is_what_the_hub_made(guser: Person) -> None:
    found = ocfspawner("manifest", guser.name, "--diff", "--output", "json").json
    assert found["diff"] == []


def test_the_api_server_says_what_it_would_refuse(configured: Callable[[str], str]) -> None:
    assert ocfspawner("manifest", GGROUP.name, "--dry-run").status == FINE
    config = configured('c.KubeSpawner.extra_pod_config = {"hostNetwork": True}')
    ended = ocfspawner("manifest", GGROUP.name, "--dry-run", "-f", config, "--output", "json")
    assert (ended.status, ended.json["reason"]) == (REFUSED, "pod-security")


def test_account_and_explain() -> None:
    account = ocfspawner("account", GGROUP.name, "--output", "json").json
    assert (account["account"]["uid"], account["answered_by"]) == (GGROUP.uid, "ldap:1636")
    found = ocfspawner("explain", GGROUP.name, "--output", "json").json
    assert found["home"]["volume"] == {"persistentVolumeClaim": {"claimName": "homes"}}
    assert all(one["by"] for one in found["resources"])


def test_simulate_over_the_directory_and_the_nodes() -> None:
    found = ocfspawner("simulate", "--all", "--output", "json").json
    assert found["accounts"] == found["served"] + len(found["refused"])
    assert "ofc" in {one["username"] for one in found["refused"]}


def test_check_is_green() -> None:
    ended = ocfspawner("check", "--output", "json")
    assert ended.status == FINE, [one for one in ended.json["checks"] if one["state"] == "BAD"]
    names = {one["name"] for one in ended.json["checks"]}
    assert names >= {
        "configuration",
        "policy",
        "image",
        "cookie secret",
        "proxy token",
        "proxy",
        "database",
        "user names",
        "directory",
        "pod",
    }


def test_check_says_what_is_bad_and_the_cure(configured: Callable[[str], str]) -> None:
    config = configured("""
c.KubeSpawner.image = "NO SUCH"
c.LDAPDirectory.urls = ["ldaps://127.0.0.1:1"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:1"
c.JupyterHub.db_url = "mysql+pymysql://jupyterhub:wrong-password@mariadb:3306/jupyterhub"
""")
    ended = ocfspawner("check", "-f", config, "--output", "json")
    assert ended.status == REFUSED
    bad = {one["name"]: one for one in ended.json["checks"] if one["state"] == "BAD"}
    assert set(bad) >= {"image", "directory", "proxy", "database"}
    assert all(one["cure"] for one in bad.values())
    assert bad["proxy"]["detail"].startswith("http://127.0.0.1:1 can't be reached: ")
    assert "Access denied" in bad["database"]["detail"]
    assert "wrong-password" not in ended.out


def test_check_looks_at_what_the_settings_take(configured: Callable[[str], str]) -> None:
    """Claims of other volumes, the class of KubeSpawner's own, images of profiles, rights that the Hub lacks."""
    choice = {"display_name": "x", "kubespawner_override": {"image": "NO SUCH"}}
    profile = {"display_name": "p", "profile_options": {"image": {"display_name": "i", "choices": {"x": choice}}}}
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in ("homes", "missing")]
    config = configured(
        f"c.KubeSpawner.profile_list = [{profile!r}]\nc.KubeSpawner.volumes = {volumes!r}\n"
        'c.KubeSpawner.storage_pvc_ensure = True\nc.KubeSpawner.storage_class = "missing"'
    )
    found = ocfspawner("check", "-f", config, "--output", "json").json["checks"]
    said = {(one["name"], one["state"]): one for one in found}
    assert said["volume", "ok"]["detail"].startswith("claim homes is bound")
    assert '"missing" not found' in said["volume", "BAD"]["detail"]
    assert said["image", "BAD"]["detail"] == "'NO SUCH' is no name of an image"
    assert ("storage class", "??") in said, "the Hub may not look at classes"
    lacking = {one["detail"] for one in found if (one["name"], one["state"]) == ("right", "BAD")}
    assert "create persistentvolumeclaims is not allowed, for storage_pvc_ensure" in lacking
    assert all(one["cure"] for one in found if one["state"] == "BAD")
