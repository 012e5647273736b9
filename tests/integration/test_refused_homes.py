"""People whose home can't be used: refused before it is mounted, and nothing is made in its place."""

import pytest

from .conftest import GUSER, Newcomers
from .support import cluster
from .support.hub import Api
from .support.people import Person
from .support.refusals import counted, start_refused

SECONDS_TO_LOOK = 30
"""A pod must start for it: 3 seconds, on a machine that does nothing else."""


def _refused(person: Person, api: Api, reason: str, text: str) -> None:
    with counted(api, "spawn", reason):
        refusal = start_refused(person.browser, person.name)
    assert refusal.status == 403
    assert f"The home directory of “{person.name}” {text}" in refusal.text
    assert refusal.seconds < SECONDS_TO_LOOK


def _served(person: Person, api: Api) -> None:
    api.started(person.name)
    assert cluster.in_pod(person.name, "stat", "--format=%u", person.account.home).strip() == str(person.account.uid)


def test_a_missing_home_is_refused_until_it_is_made(url: str, api: Api, newcomers: Newcomers) -> None:
    person = Person.logged_in(url, newcomers("xnohome", home=False))
    beginning = f"{cluster.HOMES}/x"
    assert not cluster.exists(beginning)
    try:
        _refused(person, api, "home-missing", "does not exist on the file server.")
        assert not cluster.exists(beginning), "something was made on the file server"
        cluster.make_home(person.account.home, person.account.uid, person.account.gid)
        _served(person, api)
    finally:
        api.stop(person.name)  # a home that goes while it is mounted keeps its pod from going
        cluster.on_files("rm", "-rf", beginning)


def test_somebody_elses_home_is_refused_until_it_is_given_back(url: str, api: Api, newcomers: Newcomers) -> None:
    """Even one that everybody may enter and write to."""
    person = Person.logged_in(url, newcomers("notmine"))
    home = cluster.stored(person.account.home)
    cluster.on_files("chown", str(GUSER.uid), home)
    cluster.on_files("chmod", "0777", home)
    _refused(person, api, "home-not-owned", "belongs to somebody else.")
    cluster.on_files("chown", str(person.account.uid), home)
    _served(person, api)


@pytest.mark.parametrize("depth", ["home itself", "directory above"])
def test_a_symbolic_link_is_refused_until_it_is_a_directory(
    depth: str, url: str, api: Api, newcomers: Newcomers
) -> None:
    """Even one that leads to a home of the person's own: the next might lead anywhere."""
    person = Person.logged_in(url, newcomers("linked"))
    home = cluster.stored(person.account.home)
    path = home if depth == "home itself" else home.rpartition("/")[0]
    cluster.on_files("mv", path, f"{path}.away")
    cluster.on_files("ln", "-s", f"{path}.away", path)
    try:
        _refused(person, api, "home-unusable", "can't be used.")
    finally:
        cluster.on_files("rm", path)
        cluster.on_files("mv", f"{path}.away", path)
    _served(person, api)
