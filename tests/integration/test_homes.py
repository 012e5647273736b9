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


def test_a_file_written_in_a_notebook_survives_stop_and_start(ggroup: Person, api: Api, empty_home: None) -> None:
    api.started(ggroup.name)
    ggroup.server().python("open('survivor.txt', 'w').write('still here')")
    assert cluster.owner(cluster.stored(NOTEBOOK)) == "38104:1000"
    api.stop(ggroup.name)
    assert not cluster.user_pods(ggroup.name)
    api.started(ggroup.name)
    assert ggroup.server().python("print(open('survivor.txt').read())").strip() == "still here"
    contents = ggroup.server().answer("GET", "/api/contents/survivor.txt")
    assert contents["content"] == "still here"


def test_nothing_in_a_home_keeps_the_server_from_starting(ggroup: Person, api: Api, empty_home: None) -> None:
    """Modules of the person's own, under names that the server imports; their kernels do see them."""
    user_site = f"{HOME}/.local/lib/python{_python_of_the_image(ggroup, api)}/site-packages"
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


def test_a_home_that_is_full_or_read_only_still_gets_a_server(ggroup: Person, api: Api, empty_home: None) -> None:
    """The notebook directory can't be made, and neither can what Jupyter keeps in the home."""
    cluster.on_node("chmod", "0500", cluster.stored(HOME))
    try:
        api.started(ggroup.name)
        assert ggroup.server().answer("GET", "/api/status")
    finally:
        cluster.on_node("chmod", "0700", cluster.stored(HOME))


def _python_of_the_image(person: Person, api: Api) -> str:
    api.started(person.name)
    version = cluster.in_pod(
        person.name, "python3", "-c", "import sys; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    )
    api.stop(person.name)
    return version.strip()


def _write(path: str, text: str) -> None:
    """As the file server's administrator; `_own` gives it to the person."""
    cluster.on_node(
        "sh", "-euc", 'mkdir -p "$(dirname "$1")"; printf "%s\\n" "$2" >"$1"', "sh", cluster.stored(path), text
    )


def _own(person: Person) -> None:
    cluster.on_node("chown", "-R", f"{person.account.uid}:{person.account.gid}", cluster.stored(HOME))
