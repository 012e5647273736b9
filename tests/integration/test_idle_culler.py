"""The idle-culler component stops a server that nobody uses, and no other.

It is the component's own file that runs, but its rights reach two people only: other tests have servers that sit idle.
"""

import time
from collections.abc import Iterator

import pytest

from .support import cluster, directory
from .support.directory import Account
from .support.hub import Api
from .support.people import Person
from .support.reconfigured import drop_ins, reconfigured
from .support.waiting import wait_for

IDLE, ACTIVE = Account("idler", 40911), Account("worker", 40912)
SCOPES = ("list:users", "read:users:activity", "read:servers", "delete:servers")
TIMES = {"CULL_TIMEOUT": "20", "CULL_MAX_AGE": "0", "CULL_EVERY": "3"}
SOON = "c.JupyterHub.last_activity_interval = 2\n"


@pytest.fixture
def _a_short_patience(api: Api) -> Iterator[None]:
    files = drop_ins()
    files["50-idle-culler.py"] = _narrowed(files["50-idle-culler.py"])
    for account in (IDLE, ACTIVE):
        directory.add(account)
        cluster.make_home(account.home, account.uid, account.gid)
        api.add_user(account.name)
    with reconfigured(api, TIMES, {**files, "60-soon.py": SOON}):
        yield
    for account in (IDLE, ACTIVE):
        api.remove_user(account.name)
        directory.remove(account)
        cluster.remove_home(account.home)


def _narrowed(text: str) -> str:
    for scope in SCOPES:
        assert text.count(f'"{scope}"') == 1, "these scopes and no others"
        text = text.replace(f'"{scope}"', ", ".join(f'"{scope}!user={one.name}"' for one in (IDLE, ACTIVE)))
    return text


@pytest.mark.usefixtures("_a_short_patience")
def test_an_idle_server_is_stopped_and_one_in_use_lives(url: str, api: Api, guser: Person) -> None:
    worker = Person.logged_in(url, ACTIVE)
    for account in (ACTIVE, IDLE):
        api.started(account.name)
    pod = cluster.user_pod(ACTIVE.name)["metadata"]["uid"]
    began = time.monotonic()

    def idle_is_gone() -> bool:
        assert worker.server().answer("GET", "/api/status"), "in use"
        return not api.user(IDLE.name)["servers"] and not cluster.user_pods(IDLE.name)

    wait_for("the idle server to be stopped", idle_is_gone, timeout=90, every=1)
    while time.monotonic() < began + 2 * int(TIMES["CULL_TIMEOUT"]):
        assert worker.server().answer("GET", "/api/status")
        time.sleep(1)
    assert cluster.user_pod(ACTIVE.name)["metadata"]["uid"] == pod
    assert guser.server().answer("GET", "/api/status"), "whom its rights don't reach"


def test_its_rights_are_those_and_no_more(api: Api) -> None:
    (service,) = [one for one in api.call("GET", "/services").json().values() if one["name"] == "idle-culler"]
    assert service["admin"] is False
    assert service["roles"] == ["idle-culler"]
