"""A home outlives its servers, and can't keep them from starting."""

from .conftest import Newcomers
from .support import cluster
from .support.hub import Api
from .support.people import Person


def test_a_file_written_in_a_notebook_survives_stop_and_start(url: str, api: Api, newcomers: Newcomers) -> None:
    person = Person.logged_in(url, newcomers("writer"))
    api.started(person.name)
    person.server().python("open('survivor.txt', 'w').write('still here')")
    stored = cluster.stored(f"{person.account.home}/notebooks/survivor.txt")
    assert cluster.owner(stored) == f"{person.account.uid}:{person.account.gid}"
    api.stop(person.name)
    assert not cluster.user_pods(person.name)
    api.started(person.name)
    assert person.server().python("print(open('survivor.txt').read())").strip() == "still here"
    assert person.server().answer("GET", "/api/contents/survivor.txt")["content"] == "still here"


def test_nothing_in_a_home_keeps_the_server_from_starting(
    url: str, api: Api, guser: Person, newcomers: Newcomers
) -> None:
    """Modules of the person's own, under names that the server imports; their own programs do see them."""
    person = Person.logged_in(url, newcomers("maker"))
    version = guser.server().python("import sys; print(*sys.version_info[:2], sep='.')").strip()
    user_site = f".local/lib/python{version}/site-packages"
    _write(person, "random.py", "raise SystemExit('from the home')")
    _write(person, "notebooks/random.py", "raise SystemExit('from the notebooks')")
    _write(person, f"{user_site}/jupyterhub/__init__.py", "raise SystemExit('from .local')")
    _write(person, f"{user_site}/jupyter_server/__init__.py", "raise SystemExit('from .local')")
    _write(person, f"{user_site}/installed_by_me.py", "answer = 42")
    api.started(person.name)
    with person.server().terminal() as terminal:
        assert terminal.run("cd && python3 -c 'import installed_by_me; print(installed_by_me.answer)'") == "42"
        assert "from the home" in terminal.run("python3 -c 'import random'")


def test_a_home_that_can_not_be_written_to_still_gets_a_server(url: str, api: Api, newcomers: Newcomers) -> None:
    """The notebook directory can't be made, and neither can what Jupyter keeps in the home."""
    person = Person.logged_in(url, newcomers("full"))
    cluster.on_files("chmod", "0500", cluster.stored(person.account.home))
    api.started(person.name)
    assert person.server().answer("GET", "/api/contents?content=0")["path"] == ""


def _write(person: Person, path: str, text: str) -> None:
    script = 'mkdir -p "$(dirname "$1/$2")"; printf "%s\\n" "$3" >"$1/$2"; chown -R "$4" "$1"'
    account = person.account
    owner = f"{account.uid}:{account.gid}"
    cluster.on_files("sh", "-euc", script, "sh", cluster.stored(account.home), path, text, owner)
