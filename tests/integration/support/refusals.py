"""What holds for every refusal: the person reads why, it is counted once, the Hub lives on, nothing is left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from . import cluster
from .hub import Api, Browser, Refusal, seen_in
from .waiting import wait_for

FOR_ADMINISTRATORS = ("Traceback", "SpawnException", "uidNumber", "homeDirectory", "ldap", "/home/", "reason=")
"""What is written to the log, and to nobody's page."""


@contextmanager
def counted(api: Api, path: str, reason: str) -> Iterator[None]:
    """One refusal of this kind happens within, and the Hub stays whole."""
    count, hub = api.refusals(path, reason), _hub()
    yield
    assert api.refusals(path, reason) == count + 1, f"refusals on the path {path} with the reason {reason}"
    assert _hub() == hub, "the Hub's pod restarted"
    assert api.healthy(), "the Hub does not answer"


def start_refused(browser: Browser, username: str) -> Refusal:
    """Press the button that starts the server, and see it refused: at once, or at the end of the progress bar."""
    begun = time.monotonic()
    page = _settled(browser, username, browser.start_server(username))
    if page.ok:
        event = browser.wait_for_server(username)
        assert event.get("failed"), f"{username}'s server was to be refused: {event}"
        _is_for_people(event["message"])
        page = browser.progress_page(username)
        assert seen_in(page).text.find(event["message"].removeprefix("Spawn failed: ")) > 0
    seconds = time.monotonic() - begun
    refusal = seen_in(page)
    _is_for_people(refusal.text)
    wait_for(f"{username}'s pod to go", lambda: not cluster.user_pods(username), timeout=30)
    return Refusal(refusal.status, refusal.text, seconds)


def _settled(browser: Browser, username: str, page: requests.Response) -> requests.Response:
    """The page, when the Hub has cleared a server away that was refused before the page came."""
    pages = [page]

    def settled() -> bool:
        if "is stopping" not in seen_in(pages[-1]).text:
            return True
        pages.append(browser.progress_page(username))
        return False

    wait_for(f"the Hub to clear {username}'s server away", settled, timeout=30)
    return pages[-1]


def log_in_refused(url: str, username: str, password: str) -> Refusal:
    """Fill in the log-in form, and be shown it again with a reason."""
    browser = Browser(url)
    refusal = seen_in(browser.log_in(username, password))
    _is_for_people(refusal.text)
    assert "/hub/login" in browser.get("/hub/home").url, "logged in all the same"
    return refusal


def _is_for_people(text: str) -> None:
    for word in FOR_ADMINISTRATORS:
        assert word not in text, f"{word!r} is shown to the person: {text}"


def _hub() -> tuple[str, int]:
    """Which pod the Hub is, and how often it was restarted."""
    (pod,) = cluster.get("pods", "--selector", "app.kubernetes.io/component=hub")["items"]
    return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]
