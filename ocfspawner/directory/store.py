"""Last known good answers, for the time when the directory is away.

A file of the Hub's (SQLite, mode 0600).  It holds entries as they came, so that what is read back is parsed
by the rules of today.  A store that can't be used is logged and does without: it must never be the reason
for a refusal.
"""

import json
import logging
import os
import sqlite3
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from ocfspawner.account import Entry
from ocfspawner.directory.schema import Record

log = logging.getLogger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS record (username BLOB PRIMARY KEY, seen REAL NOT NULL, content TEXT NOT NULL)
"""
_BUSY_TIMEOUT = 2.0
"""Seconds to wait for another process's write."""


class LastKnownGood:
    """Good answers by user name.  Blocks, and may be used from several threads."""

    def __init__(self, path: Path, max_age: float, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._max_age = max_age
        self._clock = clock

    def put(self, username: str, record: Record) -> None:
        """Remember *record*, and forget all that has grown too old."""
        now = self._clock()
        self._run("REPLACE INTO record VALUES (?, ?, ?)", _key(username), now, _dump(record))
        self._run("DELETE FROM record WHERE seen < ?", now - self._max_age)

    def forget(self, username: str) -> None:
        """The directory itself has said that there is nothing good any more."""
        self._run("DELETE FROM record WHERE username = ?", _key(username))

    def get(self, username: str) -> tuple[Record, float] | None:
        """The record and its age in seconds; ``None`` when there is none that is young enough."""
        row = self._run("SELECT seen, content FROM record WHERE username = ?", _key(username))
        try:
            if row is None:
                return None
            age = self._clock() - float(row[0])
            # A clock that was set back makes an age below zero: no answer can be from the future.
            return (_load(row[1]), age) if 0 <= age <= self._max_age else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("Last known good: the record of %r can't be read: %s", username, error)
            return None

    def _run(self, query: str, *values: object) -> Sequence[Any] | None:
        """The first row that *query* answers; ``None`` also when the file can't be used."""
        try:
            # Made with its mode before SQLite opens it, so that it is never readable by others.
            made = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
            try:
                os.fchmod(made, 0o600)
            finally:
                os.close(made)
            with closing(sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT)) as database, database:
                database.execute(_TABLE)
                row: Sequence[Any] | None = database.execute(query, values).fetchone()
                return row
        except (sqlite3.Error, OSError) as error:
            log.error("Last known good: %s can't be used: %s", self._path, error)
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                self._set_aside()
            return None

    def _set_aside(self) -> None:
        """Keep a broken file for a look, and start anew."""
        aside = self._path.with_name(f"{self._path.name}.broken")
        with suppress(OSError):
            self._path.replace(aside)
            log.error("Last known good: moved it to %s and start anew", aside)


def _key(username: str) -> bytes:
    """As bytes: a Hub's name may hold what no text in SQLite can."""
    return username.encode("utf-8", "surrogatepass")


def _dump(record: Record) -> str:
    return json.dumps([_plain(entry) for entry in (record.person, *record.groups)])


def _load(text: str) -> Record:
    person, *groups = (_entry(plain) for plain in json.loads(text))
    return Record(person, tuple(groups))


def _plain(entry: Entry) -> dict[str, list[str]]:
    return {name: [b64encode(value).decode() for value in values] for name, values in entry.items()}


def _entry(plain: dict[str, list[str]]) -> Entry:
    return {name: tuple(b64decode(value, validate=True) for value in values) for name, values in plain.items()}
