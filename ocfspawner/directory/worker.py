"""Questions to the directory, as one thread asks them.

A `Worker` belongs to one thread, and keeps that thread's connection.  A `Question` is one look-up or one
log-in; its deadline may abort it from outside at any moment.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from ocfspawner.account import Account, parse_account
from ocfspawner.directory.connection import ConnectionLost, Found, ServerConnection
from ocfspawner.directory.settings import Credential, DirectorySettings, ServerAddress
from ocfspawner.errors import DirectoryUnreachable, EntryMalformed, LoginRefused, NoSuchAccount

T = TypeVar("T")

_LONGEST_NAME = 255
"""Characters of a Hub's user name.  slapd closes the connection on a question above 256 kB, as in an outage."""


class Question:
    """One look-up or log-in, and the connection that it is using at the moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: ServerConnection | None = None
        self._aborted = False

    def use(self, connection: ServerConnection) -> None:
        """Name the connection to abort; raises `DirectoryUnreachable` when that has happened already."""
        with self._lock:
            self._connection = connection
            if self._aborted:
                raise DirectoryUnreachable("the deadline has passed")

    def answered(self) -> None:
        """Nothing is left to abort."""
        with self._lock:
            self._connection = None

    def abort(self) -> None:
        """End it, wherever it waits; nothing when it was answered.  Never blocks."""
        with self._lock:
            self._aborted = True
            if self._connection is not None:
                self._connection.abort()


class Worker:
    """Asks the directory, over a kept connection.  Not shared between threads."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._schema = settings.schema
        self._kept: ServerConnection | None = None

    def lookup(self, question: Question, username: str) -> Account:
        """The account of *username*; see `Directory.lookup`."""
        return self._ask(question, lambda connection: self._account(connection, username))

    def login(self, question: Question, username: str, password: str) -> Account:
        """The account of *username*, if *password* is theirs; see `Directory.authenticate`."""
        dn = self._ask(question, lambda connection: self._person(connection, username)[0])
        if not self._accepts(question, dn, password):
            raise LoginRefused(username, "the directory refused the password")
        return self.lookup(question, username)

    def close(self) -> None:
        """Close the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _account(self, connection: ServerConnection, username: str) -> Account:
        schema = self._schema
        _, person = self._person(connection, username)
        gid = _plain_number(person.get(schema.rules.attributes.gid.lower(), ()))
        groups = connection.search(schema.group_base, schema.group_filter(username, gid), schema.group_attributes)
        return parse_account(username, person, (entry for _, entry in groups), schema.rules)

    def _person(self, connection: ServerConnection, username: str) -> Found:
        schema = self._schema
        if len(username) > _LONGEST_NAME:
            raise NoSuchAccount(username, f"{len(username)} characters")
        try:
            search_filter = schema.person_filter(username)
            search_filter.encode("utf-8")
        except UnicodeEncodeError:
            raise NoSuchAccount(username, "the name is not valid Unicode") from None
        found = connection.search(schema.people_base, search_filter, schema.person_attributes)
        if not found:
            raise NoSuchAccount(username)
        if len(found) > 1:
            raise EntryMalformed(username, f"{len(found)} entries: {'; '.join(dn[:80] for dn, _ in found[:4])}")
        return found[0]

    def _accepts(self, question: Question, dn: str, password: str) -> bool:
        """Ask on a connection of its own, so that the kept one never acts as somebody else."""
        connection = self._connect(question, bind=False)
        try:
            return connection.bind(dn, password)
        except ConnectionLost as error:
            raise DirectoryUnreachable(str(error)) from error
        finally:
            connection.close()

    def _ask(self, question: Question, ask: Callable[[ServerConnection], T]) -> T:
        """Ask on the kept connection; if that broke since the last question, once more on a new one."""
        if self._kept is not None:
            question.use(self._kept)
            try:
                return ask(self._kept)
            except ConnectionLost:
                self.close()
        self._kept = self._connect(question)
        try:
            return ask(self._kept)
        except ConnectionLost as error:
            self.close()
            raise DirectoryUnreachable(str(error)) from error

    def _connect(self, question: Question, bind: bool = True) -> ServerConnection:
        """A new connection to the first server that can be reached."""
        failures = []
        for address in self._settings.servers:
            try:
                return self._open(question, address, bind)
            except DirectoryUnreachable as error:
                failures.append(error)
        if len(failures) == 1:
            raise failures[0]
        raise type(failures[0])("; ".join(str(failure) for failure in failures))

    def _open(self, question: Question, address: ServerAddress, bind: bool) -> ServerConnection:
        connection = ServerConnection(address, self._settings)
        question.use(connection)
        try:
            connection.open()
            if bind and self._settings.credential:
                _bind(connection, self._settings.credential)
        except BaseException:
            connection.close()
            raise
        return connection


def _bind(connection: ServerConnection, credential: Credential) -> None:
    try:
        accepted = connection.bind(credential.dn, credential.password_file.read_text().strip())
    except (OSError, ConnectionLost) as error:
        raise DirectoryUnreachable(str(error)) from error
    if not accepted:
        raise DirectoryUnreachable(f"{credential.dn} is refused with the password in {credential.password_file}")


def _plain_number(values: Sequence[bytes]) -> int:
    """The number to ask for; 0, which is no one's group, when the entry will be refused anyway."""
    return int(values[0]) if len(values) == 1 and values[0].isdigit() and len(values[0]) < 11 else 0
