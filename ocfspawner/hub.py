"""``ocfspawner-hub``: JupyterHub, for a Hub whose database and proxy are elsewhere and may be away for a while.

JupyterHub gets over a database that restarts, but meanwhile it

* does not start, with a traceback;
* takes everybody for a stranger (jupyterhub 6.1.1, handlers/base.py:105): people see the log-in form, and people's
  servers, which ask it who somebody is, are told 403 and remember that for five minutes (services/auth.py:590).

Here it waits for the database when it starts, and answers 503 while the database is away.
"""

from collections.abc import Sequence
from typing import Any

from aiohttp import ClientResponseError
from jupyterhub.app import JupyterHub
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.proxy import ConfigurableHTTPProxy
from tornado.web import HTTPError
from traitlets import Float, default

from ocfspawner import database

_RETRY_AFTER = "10"
"""Seconds."""


class Hub(JupyterHub):  # type: ignore[misc]
    """JupyterHub; its settings are those of ``c.JupyterHub``, and these."""

    database_seconds = Float(
        240.0,
        config=True,
        help="""
        Seconds that the Hub waits for its database when it starts, before it gives up with a word on why.

        Shorter than what its startup probe allows, so that the word is said.
        """,
    )

    @default("proxy_class")
    def _proxy_class_default(self) -> type[ConfigurableHTTPProxy]:
        return Proxy

    def init_db(self) -> None:
        """Connect, as soon as there is a database."""
        try:
            database.wait_until_there(self.db_url, self.db_kwargs, self.database_seconds, self.log.warning)
        except database.DatabaseAway as away:
            self.log.critical("The Hub can't start without its database. %s", away)
            self.exit(1)
        super().init_db()

    def init_handlers(self) -> None:
        """JupyterHub's, and each knows what to say when the database is away."""
        super().init_handlers()
        self.handlers: list[Sequence[Any]] = [_with_database(handler) for handler in self.handlers]


class Proxy(ConfigurableHTTPProxy):  # type: ignore[misc]
    """configurable-http-proxy; its settings are those of ``c.ConfigurableHTTPProxy``."""

    async def api_request(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Say what is wrong when the proxy does not take our token."""
        try:
            return await super().api_request(path, method, body)
        except ClientResponseError as error:
            if error.status == 403:
                self.log.critical(
                    "The proxy at %s refuses the Hub's token: they have different ones. "
                    "Restart the proxy and then the Hub, so that both read the same Secret.",
                    self.api_url,
                )
            raise


class NeedsDatabase:
    """What a handler of JupyterHub's gets to tell an absent database from an unknown person."""

    _away: BaseException | None = None

    async def get_current_user(self) -> Any:
        """Who asks; JupyterHub goes on without a user when this fails, and so it is noted that it did."""
        try:
            return await super().get_current_user()  # type: ignore[misc]
        except Exception as error:
            self._away = error if database.is_away(error) else None
            raise

    async def prepare(self) -> None:
        """Go on only with somebody who was looked up, or who has shown nothing that could have been."""
        try:
            await super().prepare()  # type: ignore[misc]
        finally:
            if self._away:
                raise HTTPError(503) from self._away

    def write_error(self, status_code: int, **arguments: Any) -> None:
        """Whatever an absent database has led to is 503, with a text for people."""
        error = (arguments.get("exc_info") or (None, None))[1]
        if database.is_away(error) or self._away:
            status_code = 503
            self.set_status(status_code)  # type: ignore[attr-defined]
            self.set_header("Retry-After", _RETRY_AFTER)  # type: ignore[attr-defined]
            error.jupyterhub_message = database.UNAVAILABLE  # type: ignore[union-attr]
        super().write_error(status_code, **arguments)  # type: ignore[misc]


def _with_database(handler: Sequence[Any]) -> Sequence[Any]:
    """A row of tornado's, its class replaced by one that knows of the database, if it is JupyterHub's."""
    pattern, kind, *rest = handler
    if isinstance(kind, type) and issubclass(kind, BaseHandler):
        kind = type(kind.__name__, (NeedsDatabase, kind), {"__module__": kind.__module__})
    return (pattern, kind, *rest)


main = Hub.launch_instance
