"""The Hub's database, seen from a distance: whether it is there, and which of its errors pass by themselves.

SQLAlchemy is imported where it is used: the command line is quicker without it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

UNAVAILABLE = (
    "The Hub's database can't be reached at the moment. Servers that run are not affected. "
    "Please try again in a minute."
)
"""For people."""

_PAUSE = 1.0
"""Seconds between two attempts."""

_SHOWN = 300
"""Characters of what a database says that are shown."""


class DatabaseAway(Exception):
    """The database did not answer in time; the text says which one, and what it said last."""


def is_away(error: BaseException | None) -> bool:
    """Whether *error* is one of those that a database which restarts, hangs or refuses us gives to whoever asks.

    With a query's own faults (a constraint, a type) trying again would not help; they are not among them.
    """
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError
    from sqlalchemy.exc import TimeoutError as NoConnection

    if isinstance(error, OperationalError | InterfaceError | PendingRollbackError | NoConnection):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def said(error: BaseException) -> str:
    """The database's own words in an error of SQLAlchemy's, on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:_SHOWN]


def shown(url: str) -> str:
    """The URL of a database without its password."""
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)


def wait_until_there(url: str, arguments: Mapping[str, Any], seconds: float, tell: Callable[[str], None]) -> None:
    """Return when the database at *url* takes a query.

    *arguments* are those of `sqlalchemy.create_engine`, with which each attempt has its own deadline.  *tell* is given
    each new reason for waiting, once.  A wrong password is waited for too: it may be that it is just being changed.

    Raises `DatabaseAway` after *seconds*.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(url, **arguments)
    deadline, told = time.monotonic() + seconds, ""
    try:
        while True:
            try:
                with engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
            except DBAPIError as error:
                reason = said(error)
            else:
                return
            if time.monotonic() > deadline:
                raise DatabaseAway(f"{shown(url)}: no use after {seconds:g} s: {reason}")
            if reason != told:
                tell(f"Waiting for the database {shown(url)}: {reason}")
                told = reason
            time.sleep(_PAUSE)
    finally:
        engine.dispose()


_ALIKE = (("josé", "jose"), ("Alice", "alice"), ("alice ", "alice"))
"""Names of different people that many a collation takes for one: accents, case, trailing spaces."""

_COLLATION = """
    SELECT collation_name FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'name'
"""


def names_taken_for_one(connection: "Connection") -> Sequence[str]:
    """Which names the database takes for one, each such as ``“josé” for “jose”``; none if it is right.

    Asked of the database itself, with the collation of the Hub's table of users; with that of the database as long as
    there is no table.
    """
    from sqlalchemy import collate, literal, select, text

    collation = None
    if connection.dialect.name in {"mysql", "mariadb"}:
        collation = connection.scalar(text(_COLLATION)) or connection.scalar(text("SELECT @@collation_database"))
    same = []
    for one, other in _ALIKE:
        left = collate(literal(one), collation) if collation else literal(one)
        if connection.scalar(select(left == literal(other))):
            same.append(f"“{one}” for “{other}”")
    return same
