"""Tests against a real Hub on a real cluster: HTTP to the proxy, and a look from inside the pods and from the file
server's side.  Nothing here imports ocfspawner.

``ci/test`` brings up the cluster and runs them.  By hand, on the cluster that ``ci/test --keep`` left:

    eval "$(ci/cluster env ocfspawner-test)"
    pytest tests/integration

Each test leaves the directory, the file server and the Hub as it found them.  Where a test only looks, it looks at a
server that runs for the whole session.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from .support import cluster, directory, evidence
from .support.directory import Account
from .support.hub import Api, Browser
from .support.people import Person

GUSER = Account("guser", 35712)
GGROUP = Account("ggroup", 38104, shell="/bin/zsh")
GSTAFF = Account("gstaff", 12903)
OFC = Account("ofc", 41377, gid=2390, shell="/opt/share/utils/bin/sorried")


@pytest.fixture(scope="session", autouse=True)
def own_cluster() -> None:
    """Nothing is done to a cluster that is not the tests' own."""
    if not cluster.is_ours():
        pytest.exit(
            "These tests need the cluster that `ci/test --keep` leaves: "
            'eval "$(ci/cluster env ocfspawner-test)"; pytest tests/integration',
            returncode=4,
        )


_shown = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """With a test that fails, once: what the cluster looks like at that moment."""
    report = yield
    if report.failed and not item.stash.get(_shown, False):
        item.stash[_shown] = True
        report.sections.extend(evidence.sections())
    return report


@pytest.fixture(scope="session")
def url() -> str:
    """The address of the proxy."""
    return cluster.address()


@pytest.fixture(scope="session")
def api(url: str) -> Api:
    """The REST API for an administrator, with a token that gstaff made on the Hub's page."""
    browser = Browser(url)
    assert browser.log_in(GSTAFF.name, GSTAFF.password).ok
    return Api(url, browser.token(GSTAFF.name))


@pytest.fixture(scope="session")
def guser(url: str, api: Api) -> Iterator[Person]:
    """guser, logged in, with a server that runs."""
    with _server_of(GUSER, url, api) as person:
        yield person


@pytest.fixture(scope="session")
def gstaff(url: str, api: Api) -> Iterator[Person]:
    """gstaff, logged in, with a server that runs."""
    with _server_of(GSTAFF, url, api) as person:
        yield person


@pytest.fixture
def ggroup(url: str, api: Api) -> Iterator[Person]:
    """ggroup, logged in; their server is the test's to start."""
    yield Person.logged_in(url, GGROUP)
    api.stop(GGROUP.name)


@pytest.fixture
def newcomers(api: Api) -> Iterator[Callable[..., Account]]:
    """Makes accounts for one test, each with a home unless told otherwise."""
    made = []

    def make(name: str, uid: int, home: bool = True) -> Account:
        account = Account(name, uid)
        made.append(account)
        directory.add(account)
        if home:
            cluster.make_home(account.home, account.uid, account.gid)
        return account

    yield make
    for account in made:
        api.remove_user(account.name)
        directory.remove(account)
        cluster.remove_home(account.home)


@contextmanager
def _server_of(account: Account, url: str, api: Api) -> Iterator[Person]:
    person = Person.logged_in(url, account)
    api.started(account.name)
    yield person
    api.stop(account.name)
