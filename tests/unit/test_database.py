"""What a Hub says of its database, and while that is away; a real MariaDB is in tests/integration."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.handlers.base import BaseHandler
from sqlalchemy import Connection, create_engine, exc, text
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError

from ocfspawner import database, hub

AWAY = exc.OperationalError("SELECT 1", None, OSError("Connection refused"))


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (AWAY, True),
        (exc.PendingRollbackError("Can't reconnect until invalid transaction is rolled back"), True),
        (exc.TimeoutError("QueuePool limit"), True),
        (exc.DBAPIError("SELECT 1", None, OSError(), connection_invalidated=True), True),
        (exc.IntegrityError("INSERT", None, ValueError("Duplicate entry")), False),
        (HTTPError(403), False),
        (None, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_which_errors_pass_by_themselves(error: BaseException | None, away: bool) -> None:
    assert database.is_away(error) is away


def test_a_password_is_not_shown() -> None:
    assert "pass-word" not in database.shown("mysql+pymysql://hub:pass-word@db.example.edu/hub")


def test_waiting_ends_with_what_the_database_said_last() -> None:
    with pytest.raises(database.DatabaseAway, match=r"x\.sqlite: no use after 0 s: unable to open database file"):
        database.wait_until_there("sqlite:////nonexistent/x.sqlite", {}, 0, lambda _: None)


def test_each_reason_for_waiting_is_told_once() -> None:
    told: list[str] = []
    with pytest.raises(database.DatabaseAway):
        database.wait_until_there("sqlite:////nonexistent/x.sqlite", {}, 1.5, told.append)
    assert told == ["Waiting for the database sqlite:////nonexistent/x.sqlite: unable to open database file"]


def test_a_database_that_is_there_is_not_waited_for() -> None:
    told: list[str] = []
    database.wait_until_there("sqlite://", {}, 0, told.append)
    assert told == []


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_sqlite_tells_names_apart(connection: Connection) -> None:
    assert connection.scalar(text("SELECT 1")) == 1
    assert database.names_taken_for_one(connection) == []


# -- the Hub's answers -----------------------------------------------------------------------


class Session:
    """Of a database that is not there."""

    dirty = False
    rolled_back = 0

    def rollback(self) -> None:
        self.rolled_back += 1


class Page(BaseHandler):  # type: ignore[misc]
    """Asks the database for the user, as each of JupyterHub's does, when there is a token; writes no template."""

    _accept_token_auth = True

    def get_current_user_token(self) -> Any:
        if self.request.headers.get("Authorization"):
            raise AWAY

    def get_current_user_cookie(self) -> None:
        return None

    def write_error(self, status_code: int, **arguments: Any) -> None:
        error = arguments["exc_info"][1]
        self.finish({"status": status_code, "message": getattr(error, "jupyterhub_message", "")})

    def get(self) -> None:
        self.finish({"user": None})


class Broken(Page):
    """Asks it later for something else."""

    def get(self) -> None:
        raise AWAY


async def asked(page: type[Page], **headers: str) -> HTTPResponse:
    """The answer of a server that has this page, as a Hub has it."""
    settings: Any = {"db": Session(), "hub": SimpleNamespace(base_url="/hub/"), "log_function": lambda _: None}
    row: Any = hub._with_database((r"/hub/home", page))
    server = HTTPServer(Application([row], **settings))
    (socket,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([socket])
    try:
        url = f"http://127.0.0.1:{socket.getsockname()[1]}/hub/home"
        return await AsyncHTTPClient(force_instance=True).fetch(url, headers=headers, raise_error=False)
    finally:
        server.stop()
        await server.close_all_connections()


async def test_somebody_who_can_not_be_looked_up_is_not_a_stranger() -> None:
    answer = await asked(Page, Authorization="token something")
    assert answer.code == 503
    assert answer.headers["Retry-After"] == "10"


async def test_nobody_needs_to_be_looked_up_for_a_page_without_a_user() -> None:
    assert (await asked(Page)).code == 200


async def test_a_page_that_needs_the_database_says_that_it_is_away() -> None:
    answer = await asked(Broken)
    assert answer.code == 503
    assert database.UNAVAILABLE in answer.body.decode()


def test_what_is_not_jupyterhubs_is_left_alone() -> None:
    row = ("/x", str, {"path": "y"})
    assert hub._with_database(row) == row
