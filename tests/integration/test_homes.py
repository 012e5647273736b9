"""A home outlives its servers, and can't keep them from starting."""

from collections.abc import Iterator

import pytest

from .support import cluster
from .support.hub import Api
from .support.people import Person

HOME = "/home/g/gg/ggroup"
NOTEBOOK = f"{HOME}/notebooks/survivor.txt"


@pytest.fixture
def empty_home() -> Iterator[None]:
    """ggroup's home is empty, now and after the test."""
    _clear()
    yield
    _clear()


def _clear() -> None:
    cluster.on_node("find", cluster.stored(HOME), "-mindepth", "1", "-delete")


@pytest.mark.usefixtures("empty_home")
def test_a_file_written_in_a_notebook_survives_stop_and_start(ggroup: Person, api: Api) -> None:
    api.started(ggroup.name)
    ggroup.server().python("open('survivor.txt', 'w').write('still here')")
    assert cluster.owner(cluster.stored(NOTEBOOK)) == "38104:1000"
    api.stop(ggroup.name)
    assert not cluster.user_pods(ggroup.name)
    api.started(ggroup.name)
    assert ggroup.server().python("print(open('survivor.txt').read())").strip() == "still here"
    contents = ggroup.server().answer("GET", "/api/contents/survivor.txt")
    assert contents["content"] == "still here"


@pytest.mark.usefixtures("empty_home")
def test_nothing_in_a_home_keeps_the_server_from_starting(ggroup: Person, guser: Person, api: Api) -> None:
    """Modules of the person's own, under names that the server imports; their own programs do see them."""
    version = guser.server().python("import sys; print(*sys.version_info[:2], sep='.')").strip()
    user_site = f"{HOME}/.local/lib/python{version}/site-packages"
    _write(f"{HOME}/random.py", "raise SystemExit('from the home')")
    _write(f"{HOME}/notebooks/random.py", "raise SystemExit('from the notebooks')")
    _write(f"{user_site}/jupyterhub/__init__.py", "raise SystemExit('from .local')")
    _write(f"{user_site}/jupyter_server/__init__.py", "raise SystemExit('from .local')")
    _write(f"{user_site}/installed_by_me.py", "answer = 42")
    _own(ggroup)
    api.started(ggroup.name)
    with ggroup.server().terminal() as terminal:
        assert terminal.run("cd && python3 -c 'import installed_by_me; print(installed_by_me.answer)'") == "42"
        assert "from the home" in terminal.run("python3 -c 'import random'")


@pytest.mark.usefixtures("empty_home")
def test_a_home_that_can_not_be_written_to_still_gets_a_server(ggroup: Person, api: Api) -> None:
    """The notebook directory can't be made, and neither can what Jupyter keeps in the home."""
    cluster.on_node("chmod", "0500", cluster.stored(HOME))
    try:
        api.started(ggroup.name)
        assert ggroup.server().answer("GET", "/api/status")
    finally:
        cluster.on_node("chmod", "0700", cluster.stored(HOME))


def _write(path: str, text: str) -> None:
    """As the file server's administrator; `_own` gives it to the person."""
    cluster.on_node(
        "sh", "-euc", 'mkdir -p "$(dirname "$1")"; printf "%s\\n" "$2" >"$1"', "sh", cluster.stored(path), text
    )


def _own(person: Person) -> None:
    cluster.on_node("chown", "-R", f"{person.account.uid}:{person.account.gid}", cluster.stored(HOME))
