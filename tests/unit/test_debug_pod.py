"""The debug spawn's pod, and what is made of the look from inside."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ocfspawner.cli.debug_pod import Wish, debug_name, debug_pod
from ocfspawner.cli.inside import PROBE, SCRIPT, facts_in, judge, without_facts
from ocfspawner.cli.redact import redacted
from ocfspawner.plan import ServerPlan

from .hubless import decided, spawner
from .support import FakeDirectory

HOME = "/home/g/gs/gstaff"


@pytest.fixture
async def server(directory: FakeDirectory) -> tuple[dict[str, Any], ServerPlan]:
    """A manifest and its plan."""
    some = spawner(directory, lifecycle_hooks={"postStart": {"exec": {"command": ["touch", "x"]}}})
    manifest = await decided(some)
    return manifest, some.plan


def made(server: tuple[dict[str, Any], ServerPlan], **wish: Any) -> dict[str, Any]:
    return debug_pod(*server, "ocf-debug-gstaff-1", Wish(**wish))


def notebook(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in pod["spec"]["containers"] if one["name"] == "notebook"]
    return dict(found)


def environment(pod: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in notebook(pod)["env"]}


def test_the_hub_never_sees_it(server: tuple[dict[str, Any], ServerPlan]) -> None:
    labels, before = made(server)["metadata"]["labels"], server[0]["metadata"]["labels"]
    assert before["component"] == "singleuser-server", "by which the Hub finds its servers"
    assert labels["component"] == labels["app.kubernetes.io/component"] == "debug-spawn"
    assert labels["hub.jupyter.org/username"] == "gstaff"
    names = {debug_name(server[0]) for _ in range(9)}
    assert len(names) == 9
    assert all(name.startswith("ocf-debug-gstaff-") for name in names)


def test_it_has_no_token_and_reports_nothing(server: tuple[dict[str, Any], ServerPlan]) -> None:
    some = environment(made(server))
    assert some["JUPYTERHUB_API_TOKEN"] == some["JPY_API_TOKEN"] == "debug-spawn"
    assert some["JUPYTERHUB_ACTIVITY_URL"] == ""
    names = [one["name"] for one in notebook(made(server))["env"]]
    assert len(names) == len(set(names)), "nothing is there twice"


def test_the_home_is_read_only_and_lies_elsewhere_for_jupyter(server: tuple[dict[str, Any], ServerPlan]) -> None:
    pod = made(server)
    (home,) = [mount for mount in notebook(pod)["volumeMounts"] if mount["mountPath"] == HOME]
    assert home["readOnly"]
    assert environment(pod)["HOME"] != HOME
    assert "lifecycle" not in notebook(pod), "a hook could write to the home"
    writable = made(server, read_write=True)
    (home,) = [mount for mount in notebook(writable)["volumeMounts"] if mount["mountPath"] == HOME]
    assert "readOnly" not in home
    assert environment(writable)["HOME"] == HOME


def test_all_else_is_as_the_hub_makes_it(server: tuple[dict[str, Any], ServerPlan]) -> None:
    pod, before = made(server), server[0]
    for name in ("image", "resources", "securityContext", "workingDir", "ports"):
        assert notebook(pod)[name] == notebook(before)[name]
    assert pod["spec"]["initContainers"] == before["spec"]["initContainers"]
    assert notebook(pod)["args"][-len(notebook(before)["args"]) :] == notebook(before)["args"]


def test_it_ends_by_itself_unless_it_is_kept(server: tuple[dict[str, Any], ServerPlan]) -> None:
    assert made(server, seconds=30)["spec"]["activeDeadlineSeconds"] == 90
    assert made(server)["spec"]["restartPolicy"] == "Never"
    assert "activeDeadlineSeconds" not in made(server, keep=True)["spec"]


# -- the look from inside --------------------------------------------------------------------


def look(tmp_path: Path, *command: str, **changes: str) -> list[str]:
    """What the script says on this machine, where *command* is the server."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    settings = {
        "OCFSPAWNER_HOME": str(home),
        "JUPYTERHUB_ROOT_DIR": str(home / "notebooks"),
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
        "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:9/user/x/",
        "OCFSPAWNER_LINGER": "0",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **changes,
    }
    done = subprocess.run(
        ["/bin/sh", "-c", SCRIPT, "sh", PROBE, *command],
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.splitlines()


def test_the_script_says_what_is(tmp_path: Path) -> None:
    facts = facts_in(look(tmp_path, "sh", "-c", "echo hello; exit 3"))
    assert (facts["uid"], facts["gid"]) == (str(os.getuid()), str(os.getgid()))
    assert (facts["owner"], facts["readable"], facts["notebooks"]) == (str(os.getuid()), "yes", "missing")
    assert facts["free"].isdigit()
    assert facts["hub"].startswith("no: ")
    assert facts["ended"] == "3"
    assert "answering" not in facts


def test_the_script_without_a_home_or_with_a_notebook_directory(tmp_path: Path) -> None:
    assert facts_in(look(tmp_path, "true", OCFSPAWNER_HOME="/does/not/exist"))["readable"] == "no"
    (tmp_path / "home" / "notebooks").mkdir()
    assert facts_in(look(tmp_path, "true"))["notebooks"] == "there"
    (tmp_path / "home" / "notebooks").rmdir()
    (tmp_path / "home" / "notebooks").touch()
    assert facts_in(look(tmp_path, "true"))["notebooks"] == "unreadable"


SERVER = """\
import http.server, socketserver
print("the server's own words", flush=True)
socketserver.TCPServer(("127.0.0.1", {port}), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def test_a_server_answers_with_whatever_status(tmp_path: Path, unused_tcp_port: int) -> None:
    url = f"http://0.0.0.0:{unused_tcp_port}/user/x/"
    code = SERVER.format(port=unused_tcp_port)
    lines = look(tmp_path, sys.executable, "-c", code, JUPYTERHUB_SERVICE_URL=url, JUPYTERHUB_API_URL=url)
    assert facts_in(lines)["answering"].startswith("501 ")
    assert without_facts(lines) == ["the server's own words"]


GOOD = {
    "uid": "12903",
    "gid": "1000",
    "groups": "1000 1002 29",
    "owner": "12903",
    "readable": "yes",
    "writable": "no",
    "free": "2048",
    "notebooks": "missing",
    "hub": "200",
}


@pytest.mark.parametrize(
    ("changes", "bad", "said"),
    [
        pytest.param({}, None, "", id="all is fine"),
        pytest.param({"uid": "0"}, "ids", "uid 0", id="another uid"),
        pytest.param({"groups": "1000"}, "ids", "groups 1000", id="a group is missing"),
        pytest.param({"readable": "no"}, "home", "can't be read", id="a home that can't be read"),
        pytest.param({"owner": "65534"}, "home", "belongs to uid 65534", id="a home that is mapped"),
        pytest.param({"free": "100"}, "space", "full", id="a full file system"),
        pytest.param({"notebooks": "unreadable"}, "notebook_dir", "no directory", id="a file in its place"),
        pytest.param({"hub": "no: [Errno 111]"}, "network", "Errno 111", id="no way to the Hub"),
        pytest.param({"hub": "503"}, "network", "503", id="a Hub that is ill"),
        pytest.param({"hub": "403"}, None, "", id="any answer of the Hub's is an answer"),
    ],
)
def test_what_the_facts_mean(
    server: tuple[dict[str, Any], ServerPlan], changes: dict[str, str], bad: str | None, said: str
) -> None:
    checks = list(judge(server[1], {**GOOD, **changes}, read_write=False))
    wrong = [check for check in checks if not check.ok]
    assert [check.name for check in wrong] == ([bad] if bad else [])
    assert all(said in check.detail and check.cure for check in wrong)


def test_a_home_to_be_written_must_be_writable(server: tuple[dict[str, Any], ServerPlan]) -> None:
    (wrong,) = [check for check in judge(server[1], GOOD, read_write=True) if not check.ok]
    assert "can't be written" in wrong.detail


def test_what_has_not_been_said_yet_is_not_judged(server: tuple[dict[str, Any], ServerPlan]) -> None:
    assert list(judge(server[1], {"uid": "12903"}, read_write=False)) == []
    assert facts_in(["uid 5", "hub 200"], marked=False) == {"uid": "5", "hub": "200"}
    assert facts_in(["uid 5", "ocfspawner: hub 200"]) == {"hub": "200"}


# -- secrets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["API_TOKEN", "my_secret", "DB_PASSWORD", "AWS_ACCESS_KEY", "X_APIKEY", "PRIVATE_KEY", "CREDENTIALS"]
)
def test_what_looks_secret_is_hidden(name: str) -> None:
    env = [{"name": name, "value": "hunter2"}, {"name": "PATH", "value": "/bin"}]
    (hidden, shown) = redacted({"spec": {"env": env}})["spec"]["env"]
    assert (hidden["value"], shown["value"]) == ("[secret]", "/bin")
    assert env[0]["value"] == "hunter2", "the manifest itself is not touched"


def test_passwords_in_urls_are_hidden() -> None:
    assert redacted({"a": ["x mysql://me:pw@db/x y"]}) == {"a": ["x mysql://me:[secret]@db/x y"]}
    assert redacted({"a": "http://hub:8081/user@x"}) == {"a": "http://hub:8081/user@x"}
