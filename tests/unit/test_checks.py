"""What ``ocfspawner check`` says of the proxy and the database; on a cluster it is in tests/integration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from traitlets.config import Config

from ocfspawner.cli import checks, checks_outside
from ocfspawner.cli.checks import Result, State
from ocfspawner.cli.hub import Hub

TOKEN = "a" * 64


def hub(**sections: Any) -> Hub:
    """With this configuration, and nothing else: neither check asks for more."""
    some = object.__new__(Hub)
    some.config = Config(sections)
    return some


# -- the proxy -------------------------------------------------------------------------------


class Routes(RequestHandler):
    """The API of a proxy that knows one token."""

    def get(self) -> None:
        self.set_status(200 if self.request.headers["Authorization"] == f"token {TOKEN}" else 403)


@pytest.fixture
async def proxy() -> Any:
    """Its address."""
    server = HTTPServer(Application([("/api/routes", Routes)], log_function=lambda _: None))
    (socket,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([socket])
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.stop()
    await server.close_all_connections()


async def _looked_at(url: str, token: str) -> Result:
    (result,) = await checks_outside.proxy(hub(ConfigurableHTTPProxy={"api_url": url, "auth_token": token}))
    assert token not in f"{result}"
    return result


async def test_a_proxy_that_takes_the_token(proxy: str) -> None:
    assert await _looked_at(proxy, TOKEN) == Result("proxy", State.FINE, f"{proxy} takes the Hub's token")


async def test_a_proxy_that_has_another_one(proxy: str) -> None:
    result = await _looked_at(proxy, "b" * 64)
    assert result.state is State.BAD
    assert result.detail == f"{proxy} refuses the Hub's token (403): they have different ones"
    assert result.cure.startswith("Restart the proxy and then the Hub")


async def test_no_proxy_at_all() -> None:
    result = await _looked_at("http://127.0.0.1:1", TOKEN)
    assert result.state is State.BAD
    assert result.detail.startswith("http://127.0.0.1:1 can't be reached: ")
    assert result.cure.startswith("Does the proxy run?")


async def test_somebody_else_there(proxy: str) -> None:
    result = await _looked_at(f"{proxy}/elsewhere", TOKEN)
    assert (result.state, result.detail) == (State.BAD, f"{proxy}/elsewhere answers 404 Not Found")


# -- the database ----------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The URL of one that a Hub has made."""
    from jupyterhub import orm

    url = f"sqlite:///{tmp_path}/hub.sqlite"
    factory = orm.new_session_factory(url)
    yield url
    factory.kw["bind"].dispose()


def test_a_database_that_is_fine(database: str) -> None:
    results = list(checks.database(hub(JupyterHub={"db_url": database})))
    assert [(one.name, one.state) for one in results] == [("database", State.FINE), ("user names", State.FINE)]


def test_a_database_that_can_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (result,) = checks.database(hub(JupyterHub={"db_url": f"sqlite:///{tmp_path}/folder"}))
    assert (result.state, result.cure[:20]) == (State.BAD, "Does the server run?")


def test_a_refused_password_has_a_cure_of_its_own() -> None:
    assert "different passwords" in checks._database_cure("(1045, \"Access denied for user 'jupyterhub'\")")


def test_names_that_are_taken_for_one() -> None:
    result = checks._names(["“josé” for “jose”", "“alice ” for “alice”"])
    assert result.state is State.BAD
    assert "“josé” for “jose” and “alice ” for “alice”" in result.detail
    assert "utf8mb4_nopad_bin" in result.cure
