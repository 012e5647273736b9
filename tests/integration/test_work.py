"""A person logs in and works, as themselves, in their own home."""

import re

import pytest

from .conftest import GGROUP
from .support import cluster
from .support.hub import Api, Browser
from .support.people import Person


def test_a_person_logs_in_starts_a_server_and_gets_jupyterlab(url: str, api: Api) -> None:
    browser = Browser(url)
    home = browser.log_in(GGROUP.name, GGROUP.password)
    assert home.status_code == 200
    assert home.url == f"{url}/hub/home"
    try:
        page = browser.start_server(GGROUP.name)
        assert page.ok, page.text
        event = browser.wait_for_server(GGROUP.name)
        assert event.get("ready"), event
        assert browser.get(f"/user/{GGROUP.name}/api").json()["version"]
        lab = browser.get(f"/user/{GGROUP.name}/lab")
        assert lab.url == f"{url}/user/{GGROUP.name}/lab"
        assert 'id="jupyter-config-data"' in lab.text
    finally:
        api.stop(GGROUP.name)


def test_a_terminal_shows_the_directorys_names_and_numbers(gstaff: Person) -> None:
    with gstaff.server().terminal() as terminal:
        assert re.search(r"gstaff@[^ ]*:~.*\$ $", terminal.prompt), terminal.prompt
        assert terminal.run("id") == "uid=12903(gstaff) gid=1000(ocf) groups=1000(ocf),1002(ocfstaff),1006(ocfhpc)"
        assert terminal.run("whoami") == "gstaff"
        assert terminal.run("echo $HOME $SHELL $USER $LOGNAME") == "/home/g/gs/gstaff /bin/bash gstaff gstaff"
        assert terminal.run("echo ~ ~gstaff") == "/home/g/gs/gstaff /home/g/gs/gstaff"
        assert terminal.run("cd && pwd") == "/home/g/gs/gstaff"
        assert terminal.run("ls -ld ~ | awk '{ print $3, $4 }'") == "gstaff ocf"


def test_a_notebook_runs_as_the_person_too(guser: Person) -> None:
    printed = guser.server().python(
        "import getpass, os, pathlib; print(os.getuid(), getpass.getuser(), pathlib.Path.home())"
    )
    assert printed.split() == ["35712", "guser", "/home/g/gu/guser"]


def test_a_shell_that_the_image_lacks_is_replaced(ggroup: Person, api: Api) -> None:
    """ggroup's shell in the directory is zsh."""
    api.started(ggroup.name)
    with ggroup.server().terminal() as terminal:
        assert terminal.run("echo $SHELL") == "/bin/bash"
        assert terminal.run("getent passwd ggroup").endswith(":/bin/bash")


def test_the_server_starts_in_the_home_and_jupyter_in_notebooks(guser: Person) -> None:
    server = guser.server()
    assert server.python("import os; print(os.getcwd())").strip() == "/home/g/gu/guser/notebooks"
    assert cluster.in_pod("guser", "readlink", "/proc/1/cwd").strip() == "/home/g/gu/guser"
    stored = cluster.stored("/home/g/gu/guser/notebooks")
    assert cluster.owner(stored) == "35712:1000"
    assert server.answer("GET", "/api/contents?content=0")["path"] == ""


@pytest.mark.parametrize(
    ("name", "written", "memory", "cpu"),
    [("guser", "768Mi", 768 * 2**20, 1), ("gstaff", "2Gi", 2 * 2**30, 2)],
    ids=["guser", "gstaff"],
)
def test_each_gets_the_limits_that_the_policy_says(
    name: str, written: str, memory: int, cpu: int, request: pytest.FixtureRequest
) -> None:
    """In the API server, in the kernel, and in what the server is told of it."""
    person: Person = request.getfixturevalue(name)
    resources = cluster.notebook_container(cluster.user_pod(name))["resources"]
    assert resources["limits"]["memory"] == written
    assert float(resources["limits"]["cpu"]) == cpu
    assert resources["requests"] == {"memory": "256Mi", "cpu": "100m"}
    assert _cgroup_memory(name) == memory
    assert _cgroup_cpu(name) == cpu
    told = person.server().python("import os; print(os.environ['MEM_LIMIT'], os.environ['CPU_LIMIT'])").split()
    assert [int(told[0]), float(told[1])] == [memory, cpu]


def _cgroup_memory(username: str) -> int:
    v2, v1 = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    return int(cluster.in_pod(username, "sh", "-c", f"cat {v2} 2>/dev/null || cat {v1}"))


def _cgroup_cpu(username: str) -> float:
    v2, v1 = "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us"
    quota, period = cluster.in_pod(username, "sh", "-c", f"cat {v2} 2>/dev/null || cat {v1}").split()
    return int(quota) / int(period)
