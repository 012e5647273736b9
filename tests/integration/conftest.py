"""Tests against a real Hub on a real cluster: HTTP to the proxy, and a look from inside the pods and from the file
server's side.  Nothing here imports ocfspawner.

``ci/test`` brings up the cluster and runs them.  By hand, on the cluster that ``ci/test --keep`` left:

    eval "$(ci/cluster env ocfspawner-test)"
    pytest tests/integration

Each test leaves the directory, the file server and the Hub as it found them.  Where a test only looks, it looks at a
server that runs for the whole session.
"""

import itertools
import os
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from .support import cluster, directory, evidence, screen
from .support.directory import Account
from .support.hub import Api, Browser
from .support.notebook import Kernel
from .support.people import Person

Newcomers = Callable[..., Account]
Pictures = Callable[[str], None]

SECONDS_TO_SWEEP = 180

GUSER = Account("guser", 35712)
GGROUP = Account("ggroup", 38104, shell="/bin/zsh")
GSTAFF = Account("gstaff", 12903)
OFC = Account("ofc", 41377, gid=2390, shell="/opt/share/utils/bin/sorried")


def pytest_addoption(parser: pytest.Parser) -> None:
    logs = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "ocfspawner" / "logs" / "browser"
    parser.addoption("--screenshots", metavar="DIR", type=Path, help="take the pictures of the documentation into DIR")
    parser.addoption(
        "--browser-evidence", metavar="DIR", type=Path, default=logs, help="where a failed browser test leaves its own"
    )
    parser.addoption("--rewrite-docs", action="store_true", help="write the examples in docs/ anew, and pass")


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
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a test that fails, once: what the cluster looks like at that moment."""
    report = yield
    if report.failed and not item.stash.get(_shown, False):
        item.stash[_shown] = True
        report.sections.extend(evidence.sections())
        page = getattr(item, "funcargs", {}).get("page")
        if page and report.when == "call":
            folder = item.config.getoption("--browser-evidence")
            report.sections.append(("browser", screen.keep_evidence(page, folder, item.name)))
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
def kernel(guser: Person) -> Iterator[Kernel]:
    """A kernel of guser's, with a variable."""
    with guser.server().kernel() as kernel:
        kernel.run("kept = 42")
        yield kernel


@pytest.fixture
def ggroup(url: str, api: Api) -> Iterator[Person]:
    """ggroup, logged in; their server is the test's to start."""
    yield Person.logged_in(url, GGROUP)
    api.stop(GGROUP.name)


@pytest.fixture(scope="session")
def sweep(url: str, api: Api) -> Iterator[Callable[[Account], None]]:
    """Lets an account's servers and home go, which no test needs to wait for."""
    own_api = Api(url, api.token)
    with ThreadPoolExecutor(1) as thread:
        submitted: list[Future[None]] = []
        yield lambda account: submitted.append(thread.submit(_sweep, own_api, account))
    for done in submitted:
        done.result()


def _sweep(api: Api, account: Account) -> None:
    """Again when the Hub is away: another test may be restarting it meanwhile."""
    deadline = time.monotonic() + SECONDS_TO_SWEEP
    while True:
        try:
            api.remove_user(account.name)
            break
        except (AssertionError, requests.RequestException):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
    cluster.remove_home(account.home)


@pytest.fixture
def newcomers(sweep: Callable[[Account], None]) -> Iterator[Newcomers]:
    """Makes accounts for one test, each with a home unless told otherwise.

    No two have the same name or number, so the next test need not wait until the last one's servers are gone.
    """
    made = []

    def make(name: str, home: bool = True) -> Account:
        number = next(_numbers)
        account = Account(f"{name}{number}", 40000 + number)
        made.append(account)
        directory.add(account)
        if home:
            cluster.make_home(account.home, account.uid, account.gid)
        return account

    yield make
    for account in made:
        directory.remove(account)
        sweep(account)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with screen.chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    """A person's browser window."""
    with screen.window(chromium) as page:
        yield page


@pytest.fixture
def picture(page: Page, request: pytest.FixtureRequest) -> Pictures:
    """Takes a picture for the documentation, when it is asked for by --screenshots."""
    folder: Path | None = request.config.getoption("--screenshots")
    return lambda name: screen.take_picture(page, folder / f"{name}.png") if folder else None


_numbers = itertools.count(1)


@contextmanager
def _server_of(account: Account, url: str, api: Api) -> Iterator[Person]:
    person = Person.logged_in(url, account)
    api.started(account.name)
    yield person
    api.stop(account.name)
