"""Refusals on their way to the Hub."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger

from jupyterhub.spawner import SpawnException
from kubernetes_asyncio.client.exceptions import ApiException
from tornado.web import HTTPError

from ocfspawner import metrics
from ocfspawner.errors import Refusal

BUSY = (429, 500, 502, 503, 504)
"""HTTP statuses of the API server after which asking again may help."""

CONFLICT = 409


@contextmanager
def handed_to_the_hub() -> Iterator[None]:
    """Hand every refusal to the Hub in its own words: text for the user, detail for the log, no traceback.

    Any other exception would count towards ``consecutive_failure_limit``, and the Hub would exit.
    """
    try:
        yield
    except Refusal as refused:
        metrics.REFUSALS.labels("spawn", refused.reason).inc()
        refusal = SpawnException(
            refused.user_text,
            reason=refused.reason,
            log_message=refused.admin_text,
            status_code=refused.status,
        )
        # Without it the progress bar shows str(), which is the text for the log, and the page that follows
        # shows none (jupyterhub 6.1.1, utils.py:1027).
        refusal.jupyterhub_message = refused.user_text
        raise refusal from None


def login_refused(refused: Refusal, log: Logger) -> HTTPError:
    """The same for a log-in: what the page says, as an error to raise; counted and logged here."""
    metrics.REFUSALS.labels("login", refused.reason).inc()
    log.warning("Log-in refused: %s", refused.admin_text)
    return HTTPError(refused.status, "%s", refused.user_text)


def message_of(error: ApiException) -> str:
    """The API server's own words: the message of its Status, if it sent one."""
    try:
        return str(json.loads(error.body or "")["message"])[:500]
    except (KeyError, TypeError, ValueError):
        return str(error.reason)
