"""The Hub as a browser and as a client of its REST API see it.  Neither raises on a refusal: tests look at it."""

import html
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import requests

Event = dict[str, Any]

SECONDS_TO_ANSWER = 30
"""For one request; a start by REST may take the Hub's slow_spawn_timeout of 10 seconds to answer."""

SECONDS_TO_START = 90


class Browser:
    """One person at a browser: cookies, redirects, forms."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def get(self, path: str) -> requests.Response:
        return self._session.get(self.url + path, timeout=SECONDS_TO_ANSWER)

    def log_in(self, username: str, password: str) -> requests.Response:
        """Fill in the log-in form and follow where it leads, but for the start of a server: to the Hub's home."""
        form = self.get("/hub/login?next=%2Fhub%2Fhome").text
        answers = {"username": username, "password": password, "_xsrf": _hidden(form, "_xsrf")}
        return self._session.post(f"{self.url}/hub/login?next=%2Fhub%2Fhome", data=answers, timeout=SECONDS_TO_ANSWER)

    def start_server(self, username: str, server: str = "") -> requests.Response:
        """Press the button that starts the server, and follow to the page that shows how far it is."""
        return self.get(f"/hub/spawn/{quote(username, safe='')}/{server}".rstrip("/"))

    def wait_for_server(self, username: str, server: str = "") -> Event:
        """What the progress bar shows last: a server that is ready, or a failure."""
        return _last_event(self._session, f"{self.url}/hub/api{_server_path(username, server)}/progress")

    def progress_page(self, username: str, server: str = "") -> requests.Response:
        return self.get(f"/hub/spawn-pending/{quote(username, safe='')}/{server}".rstrip("/"))

    def token(self, username: str) -> str:
        """A new API token with all that the person may do."""
        page = self.get("/hub/token").text
        answer = self._session.post(
            f"{self.url}/hub/api/users/{quote(username, safe='')}/tokens",
            json={"note": "integration tests"},
            headers={"X-XSRFToken": _javascript_value(page, "xsrf_token")},
            timeout=SECONDS_TO_ANSWER,
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


class Api:
    """The Hub's REST API, with a token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"token {token}"

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return self._session.request(method, f"{self.url}/hub/api{path}", timeout=SECONDS_TO_ANSWER, **arguments)

    def healthy(self) -> bool:
        return self._session.get(f"{self.url}/hub/health", timeout=SECONDS_TO_ANSWER).ok

    def add_user(self, username: str) -> None:
        """Make the name known to the Hub, as somebody who logged in is; no matter if it is already."""
        answer = self.call("POST", f"/users/{quote(username, safe='')}")
        assert answer.status_code in (201, 409), answer.text

    def remove_user(self, username: str) -> None:
        """Let the Hub forget somebody, their server with them; no matter if it does not know them."""
        path = f"/users/{quote(username, safe='')}"
        answer = self.call("GET", path)
        if answer.status_code != 404:
            assert answer.ok, answer.text
            self.stop(username)
            answer = self.call("DELETE", path)
            assert answer.status_code in (204, 404), answer.text

    def user(self, username: str) -> dict[str, Any]:
        model: dict[str, Any] = self.call("GET", f"/users/{quote(username, safe='')}").json()
        return model

    def start(self, username: str, server: str = "", **options: Any) -> requests.Response:
        return self.call("POST", _server_path(username, server), json=options or None)

    def started(self, username: str, server: str = "") -> None:
        """Start the server and wait until it is ready."""
        answer = self.start(username, server)
        assert answer.status_code in (201, 202), answer.text
        event = self.progress(username, server)
        assert event.get("ready"), f"{username}'s server did not start: {event}"

    def progress(self, username: str, server: str = "") -> Event:
        return _last_event(self._session, f"{self.url}/hub/api{_server_path(username, server)}/progress")

    def stop(self, username: str, server: str = "") -> None:
        """Stop the server and wait until it is gone; nothing when it does not run."""
        deadline = time.monotonic() + 60
        while server in self.user(username).get("servers", {}):
            answer = self.call("DELETE", _server_path(username, server))
            assert answer.status_code in (202, 204, 404), answer.text
            if time.monotonic() > deadline:
                pytest.fail(f"waited 60 s for {username}'s server {server!r} to stop")
            time.sleep(0.2)

    def refusals(self, path: str, reason: str) -> float:
        """How often the Hub has refused for this reason, by its own count."""
        metrics = self._session.get(f"{self.url}/hub/metrics", timeout=SECONDS_TO_ANSWER)
        assert metrics.status_code == 200, metrics.text
        wanted = f'ocfspawner_refusals_total{{path="{path}",reason="{reason}"}}'
        return sum(float(line.split()[-1]) for line in metrics.text.splitlines() if line.startswith(wanted))


@dataclass(frozen=True)
class Refusal:
    """What a person is shown when something is refused."""

    status: int
    text: str
    seconds: float


def seen_in(answer: requests.Response) -> Refusal:
    """A page or a REST answer, as text without markup."""
    page = answer.content.decode()
    assert "Traceback" not in page
    text = json.loads(page).get("message", page) if _is_json(answer) else _visible(page)
    return Refusal(answer.status_code, text, answer.elapsed.total_seconds())


def _is_json(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Type", "").startswith("application/json")


def _visible(page: str) -> str:
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


def _hidden(form: str, name: str) -> str:
    found = re.search(rf'name="{name}"\s+value="([^"]*)"', form)
    assert found, f"no field {name} in the form:\n{_visible(form)}"
    return found[1]


def _javascript_value(page: str, name: str) -> str:
    found = re.search(rf'{name}:\s*"([^"]*)"', page)
    assert found, f"no {name} in the page:\n{_visible(page)}"
    return found[1]


def _server_path(username: str, server: str) -> str:
    user = f"/users/{quote(username, safe='')}"
    return f"{user}/servers/{server}" if server else f"{user}/server"


def _last_event(session: requests.Session, url: str) -> Event:
    event: Event = {}
    for event in _events(session, url):
        if event.get("ready") or event.get("failed"):
            break
    return event


def _events(session: requests.Session, url: str) -> Iterator[Event]:
    """Server-sent events; the Hub sends an empty line every 8 seconds, so a read that waits longer is a fault."""
    deadline = time.monotonic() + SECONDS_TO_START
    with session.get(url, stream=True, timeout=SECONDS_TO_ANSWER) as answer:
        assert answer.status_code == 200, answer.text
        for line in answer.iter_lines():
            if line.startswith(b"data:"):
                yield json.loads(line.removeprefix(b"data:"))
            if time.monotonic() > deadline:
                pytest.fail(f"waited {SECONDS_TO_START} s for a server to be ready: {url}")
