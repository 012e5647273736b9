"""MariaDB holds what the Hub knows; it goes away and comes back, and nobody's log-in or server is lost by that."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import pytest
import requests

from .support import cluster, parts
from .support.hub import Api, Browser, seen_in
from .support.people import Person
from .support.waiting import wait_for

Outage = Callable[[], AbstractContextManager[None]]

TEXT = "The Hub's database can't be reached at the moment."
DIRECTORY_TEXT = "The user directory can't be reached at the moment"

SECONDS_TO_RECOVER = 30
"""From the moment when the database answers again."""

HANGS_FOR = 15
"""Seconds; longer than one of the Hub's questions to its database may take."""


# -- what lies there -------------------------------------------------------------------------


def test_the_hubs_tables_are_in_mariadb(gstaff: Person) -> None:
    tables = {name for (name,) in parts.sql("SHOW TABLES")}
    assert tables >= {"users", "spawners", "servers", "api_tokens", "oauth_clients", "alembic_version"}
    assert parts.sql("SELECT name, admin FROM users WHERE name = 'gstaff'") == [[gstaff.name, "1"]]
    (hub,) = cluster.get("pods", "--selector=app.kubernetes.io/component=hub")["items"]
    assert [volume for volume in hub["spec"]["volumes"] if "persistentVolumeClaim" in volume] == [], (
        "no SQLite any more"
    )


NAMES = ("josé", "jose", "José", "alice", "alice ", "Alice")
"""Six people."""


@pytest.mark.parametrize("name", NAMES)
def test_the_database_tells_names_apart(name: str) -> None:
    """In the Hub's own table, where each name may be once."""
    rows = ", ".join(f"('{other}', 'test-{number}', 0)" for number, other in enumerate(NAMES))
    found = parts.sql(f"""
        START TRANSACTION;
        INSERT INTO users (name, cookie_id, admin) VALUES {rows};
        SELECT CONCAT('[', name, ']') FROM users WHERE name = '{name}';
        ROLLBACK;
    """)
    assert found == [[f"[{name}]"]]


def test_nobody_is_root_in_the_database_over_the_network() -> None:
    accounts = parts.sql("SELECT user, host FROM mysql.user WHERE user != ''")
    assert [account for account in accounts if account[1] != "localhost"] == [["jupyterhub", "%"]]
    rights = {row[0] for row in parts.sql("SHOW GRANTS FOR 'jupyterhub'@'%'")}
    assert any("ON `jupyterhub`.* TO" in right for right in rights)
    assert all("ON *.*" not in right or right.startswith("GRANT USAGE ON *.*") for right in rights)


# -- when it goes away -----------------------------------------------------------------------


class Watch:
    """Somebody at work while something happens: every answer that they get, with its time."""

    def __init__(self, ask: Callable[[], requests.Response]) -> None:
        self._ask = ask
        self._over = threading.Event()
        self.answers: list[tuple[float, requests.Response]] = []

    def run(self) -> None:
        while not self._over.wait(0.3):
            answer = self._ask()
            self.answers.append((time.monotonic(), answer))

    def end(self) -> None:
        self._over.set()

    @property
    def statuses(self) -> set[int]:
        return {answer.status_code for _, answer in self.answers}

    def well_since(self) -> float:
        """When the unbroken row of good answers at the end began."""
        since = self.answers[-1][0]
        for when, answer in reversed(self.answers):
            if not answer.ok:
                return since
            since = when
        return since


@contextmanager
def watched(*asked: Callable[[], requests.Response]) -> Iterator[list[Watch]]:
    watches = [Watch(ask) for ask in asked]
    with ThreadPoolExecutor(len(watches)) as threads:
        running = [threads.submit(watch.run) for watch in watches]
        try:
            yield watches
        finally:
            for watch in watches:
                watch.end()
        for done in running:
            done.result()


def _log_in(person: Person) -> requests.Response:
    """From the start, as somebody who was not logged in; the form itself, when it can't be had."""
    browser = Browser(person.browser.url)
    form = browser.get("/hub/login")
    return browser.log_in(person.name, person.account.password) if form.ok else form


@contextmanager
def _restarted() -> Iterator[None]:
    parts.delete_pod(parts.MARIADB, "--wait=true")
    yield
    parts.rolled_out(parts.MARIADB)


@contextmanager
def _killed() -> Iterator[None]:
    """Without a chance to put anything in order."""
    before = parts.pods(parts.MARIADB)
    cluster.on_node("pkill", "-KILL", "-x", "mariadbd")
    yield
    wait_for("the container to restart", lambda: parts.pods(parts.MARIADB) != before)
    parts.rolled_out(parts.MARIADB)


@contextmanager
def _hanging() -> Iterator[None]:
    """The kernel still takes connections for it, and nobody answers."""
    cluster.on_node("pkill", "-STOP", "-x", "mariadbd")
    try:
        yield
        time.sleep(HANGS_FOR)
    finally:
        cluster.on_node("pkill", "-CONT", "-x", "mariadbd")


@pytest.mark.parametrize(
    "outage",
    [pytest.param(_restarted, id="restarted"), pytest.param(_killed, id="killed"), pytest.param(_hanging, id="hangs")],
)
def test_no_login_and_no_server_is_lost(
    outage: Outage, api: Api, guser: Person, gstaff: Person, ggroup: Person
) -> None:
    hub, pods = parts.pods(parts.HUB), _pods(guser, gstaff)
    unused = guser.browser.token(guser.name)  # guser's server has not seen it yet, so it asks the Hub
    own_api, their_server = Api(api.url, api.token), Person(guser.account, guser.browser, unused).server()
    with guser.server().kernel() as kernel:
        kernel.run("kept = 42")
        with watched(
            lambda: ggroup.browser.get("/hub/home"),
            lambda: own_api.call("GET", "/user"),
            lambda: _log_in(gstaff),
            lambda: guser.server().call("GET", "/api/status"),
        ) as (page, rest, login, server):
            time.sleep(2)
            with outage():
                first = their_server.call("GET", "/api/status")
                assert first.status_code in (200, 500, 502, 503), "never 403, which the server would remember"
            back = time.monotonic()
            wait_for("the Hub to be well", lambda: all(w.answers[-1][1].ok for w in (page, rest, login)), timeout=90)
            time.sleep(3)
        assert max(watch.well_since() for watch in (page, rest, login)) - back < SECONDS_TO_RECOVER
        assert server.statuses == {200}, "a server that runs and knows its owner does not notice"
        assert page.statuses <= {200, 503}
        assert all("/hub/login" not in answer.url for _, answer in page.answers), "logged out"
        assert rest.statuses <= {200, 503}, "a token was refused"
        assert login.statuses <= {200, 503}
        away = [seen_in(answer).text for watch in (page, rest, login) for _, answer in watch.answers if not answer.ok]
        # A Hub that has waited for its database as long as a question to the directory may take has no time for that.
        assert [text for text in away if TEXT not in text and DIRECTORY_TEXT not in text] == []
        assert kernel.run("print(kept)").strip() == "42"
    wait_for("guser's server to learn who asks", lambda: their_server.call("GET", "/api/status").ok, timeout=10)
    assert parts.pods(parts.HUB) == hub, "the Hub restarted"
    assert _pods(guser, gstaff) == pods
    for name in (guser.name, gstaff.name):
        assert api.user(name)["servers"][""]["ready"]
    api.started(ggroup.name)


def _pods(*people: Person) -> list[str]:
    return [cluster.user_pod(person.name)["metadata"]["uid"] for person in people]


def test_a_start_in_the_middle_of_an_outage_can_be_tried_again(api: Api, ggroup: Person) -> None:
    account = ggroup.account
    with ThreadPoolExecutor(1) as thread:
        started = thread.submit(api.start, account.name)
        time.sleep(0.5)
        parts.delete_pod(parts.MARIADB, "--wait=true")
        parts.rolled_out(parts.MARIADB)
        started.result()
    wait_for("the Hub to be well", lambda: api.call("GET", "/user").ok, timeout=SECONDS_TO_RECOVER)
    wait_for("nothing to be pending", lambda: not _pending(api, account.name), timeout=120)
    if not api.user(account.name)["servers"].get("", {}).get("ready"):
        wait_for("nothing to be left of it", lambda: not cluster.user_pods(account.name), timeout=60)
        api.started(account.name)
    assert cluster.in_pod(account.name, "id", "--user").strip() == str(account.uid)


def _pending(api: Api, name: str) -> bool:
    return any(server["pending"] for server in api.user(name)["servers"].values())


# -- when the Hub restarts -------------------------------------------------------------------


def test_users_tokens_and_servers_are_as_before_when_the_hubs_pod_is_deleted(
    url: str, api: Api, guser: Person, gstaff: Person
) -> None:
    before, pods = _known(api, guser, gstaff), _pods(guser, gstaff)
    parts.delete_pod(parts.HUB, "--wait=true")
    _hub_is_back(api)
    assert _known(api, guser, gstaff) == before
    assert _pods(guser, gstaff) == pods
    assert Api(url, guser.token).call("GET", "/user").json()["name"] == guser.name
    assert guser.browser.get("/hub/home").url == f"{url}/hub/home", "still logged in"


def _known(api: Api, *people: Person) -> object:
    """What the Hub knows of them, without when they were last seen."""
    tokens = {
        person.name: {
            (token["id"], token["note"], token["expires_at"])
            for token in api.call("GET", f"/users/{person.name}/tokens").json()["api_tokens"]
        }
        for person in people
    }
    users = {person.name: api.user(person.name) for person in people}
    servers = {
        name: {s: (m["ready"], m["url"], m["started"]) for s, m in user["servers"].items()}
        for name, user in users.items()
    }
    return tokens, servers, {name: (user["admin"], user["created"], user["roles"]) for name, user in users.items()}


def _hub_is_back(api: Api) -> None:
    parts.rolled_out(parts.HUB)
    wait_for("the Hub to answer through the proxy", lambda: api.call("GET", "/user").ok)


def test_a_hub_waits_for_its_database_and_says_so(api: Api, guser: Person) -> None:
    parts.scale(parts.MARIADB, 0)
    try:
        parts.delete_pod(parts.HUB, "--wait=true")
        wait_for("the Hub to say that it waits", lambda: "Waiting for the database" in parts.log(parts.HUB, "1m"))
        time.sleep(5)
        assert list(parts.pods(parts.HUB).values()) == [0], "it is not started again and again"
        assert "Traceback" not in parts.log(parts.HUB, "1m")
        assert guser.server().answer("GET", "/api/status"), "people's servers go on"
    finally:
        parts.scale(parts.MARIADB, 1)
        parts.rolled_out(parts.MARIADB)
    _hub_is_back(api)
    assert list(parts.pods(parts.HUB).values()) == [0]
    assert parts.secret("mariadb", "password") not in parts.log(parts.HUB)
