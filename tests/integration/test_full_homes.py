"""A home on a file system without room: the server starts all the same, and the person reads what is wrong."""

import pytest

from .conftest import Newcomers
from .support import cluster
from .support.hub import Api
from .support.people import Person

NOTICE = "READ-ME-FIRST.md"

SMALL = f"{cluster.HOMES}/q"
"""The file server's small file system: on it lie the homes of those whose names begin with q."""


@pytest.fixture
def person(url: str, newcomers: Newcomers) -> Person:
    """Somebody whose home is full, by a file of their own."""
    cluster.on_files("mountpoint", "-q", SMALL)
    person = Person.logged_in(url, newcomers("quota"))
    account = person.account
    fill = 'dd if=/dev/zero of="$1" bs=64k 2>&1; chown "$2" "$1"; sync'
    said = cluster.on_files("sh", "-c", fill, "sh", _ballast(person), f"{account.uid}:{account.gid}")
    assert "No space left on device" in said
    return person


def _ballast(person: Person) -> str:
    return cluster.stored(f"{person.account.home}/ballast")


def test_a_full_home_gets_a_server_that_says_so_and_a_normal_one_when_there_is_room(person: Person, api: Api) -> None:
    api.started(person.name)
    server = person.server()
    _says_what_is_wrong(person)
    assert server.python("print(6 * 7)").strip() == "42"
    assert server.python("import os; print(os.stat('home/ballast').st_uid)").strip() == str(person.account.uid)
    server.answer("DELETE", "/api/contents/home/ballast")
    assert not cluster.exists(_ballast(person)), "what is deleted makes room, instead of lying in a trash"
    api.stop(person.name)
    api.started(person.name)
    _is_as_always(person)


def _says_what_is_wrong(person: Person) -> None:
    """By HTTP, where JupyterLab opens, and in a terminal."""
    server = person.server()
    notice = server.answer("GET", f"/api/contents/{NOTICE}")["content"]
    assert notice.startswith("# Your home is full\n")
    assert f"`{person.account.home}`. The file server says: *No space left on device*." in notice
    assert f"MiB  {person.account.home}/ballast" in notice
    landing = person.browser.get(f"/user/{person.name}/")
    assert landing.ok
    assert landing.url.endswith(f"/user/{person.name}/lab/tree/{NOTICE}")
    defaults = server.answer("GET", "/lab/api/settings/@jupyterlab/docmanager-extension:plugin")["schema"]
    assert defaults["properties"]["defaultViewers"]["default"] == {"markdown": "Markdown Preview"}
    with server.terminal() as terminal:
        assert "# Your home is full" in terminal.prompt
        assert terminal.run("echo $SHELL; cd && pwd").split() == ["/bin/bash", person.account.home]


def _is_as_always(person: Person) -> None:
    server = person.server()
    assert server.call("GET", f"/api/contents/{NOTICE}").status_code == 404
    assert person.browser.get(f"/user/{person.name}/").url.endswith(f"/user/{person.name}/lab")
    assert server.python("print(open('kept.txt', 'w').write('kept'))").strip() == "4"
    stored = cluster.stored(f"{person.account.home}/notebooks/kept.txt")
    assert cluster.owner(stored) == f"{person.account.uid}:{person.account.gid}"
    assert not cluster.on_files("find", cluster.stored(person.account.home), "-name", ".ocfspawner-*").strip()
