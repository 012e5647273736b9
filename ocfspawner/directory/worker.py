"""Questions to the directory, as one thread asks them.

A `Worker` belongs to one thread, and keeps that thread's connection.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar
from uuid import uuid4

from ocfspawner import metrics
from ocfspawner.directory.connection import ConnectionLost, CredentialRefused, Found, ServerConnection
from ocfspawner.directory.kerberos import Tickets
from ocfspawner.directory.question import Question, QuestionEnded
from ocfspawner.directory.schema import Record
from ocfspawner.directory.servers import Servers
from ocfspawner.directory.settings import DirectorySettings, ServerAddress
from ocfspawner.errors import (
    AccountError,
    DirectoryFailed,
    DirectoryUnreachable,
    DirectoryUntrusted,
    EntryMalformed,
    LoginRefused,
    NoSuchAccount,
    Refusal,
)

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two rounds over all servers, doubling."""

_LONGEST_NAME = 255
"""Characters of a Hub's user name.  slapd closes the connection on a question above 256 kB, as in an outage."""

_LIKE_NAMED = 4
"""Entries of one name that are looked at; there should be one."""

_NO_PASSWORD = "nobody's"  # noqa: S105 - for a name that there is not


class Worker:
    """Asks the directory, over a kept connection.  Not shared between threads."""

    def __init__(self, settings: DirectorySettings, servers: Servers, tickets: Tickets) -> None:
        self._settings = settings
        self._servers = servers
        self._tickets = tickets
        self._kept: ServerConnection | None = None

    def lookup(self, question: Question, username: str) -> Record:
        """What the directory holds of *username*; see `Directory.lookup`."""
        return self._ask(question, "lookup", lambda connection: self._record(connection, username))

    def login(self, question: Question, username: str, password: str) -> Record:
        """What the directory holds of *username*, if *password* is theirs; see `Directory.authenticate`.

        Who does not know it learns nothing: a name that nobody has takes as long, and of two entries with one name
        no word is said.
        """
        found = self._ask(question, "login-lookup", lambda connection: self._people(connection, username))
        if not found:
            # Whatever the directory says to that: some have a code of their own for a name that there is not.
            with suppress(DirectoryFailed):
                self._until_answered(question, lambda: self._accepts(question, self._nobody, _NO_PASSWORD))
            raise NoSuchAccount(username)
        for dn, _ in found[:_LIKE_NAMED]:
            if self._until_answered(question, partial(self._accepts, question, dn, password)):
                return self._ask(question, "login-lookup", lambda connection: self._record(connection, username))
        raise LoginRefused(username, f"the directory refused the password{_told(found)}")

    def usernames(self, question: Question) -> Sequence[str]:
        """The names of all people; see `Directory.usernames`."""
        schema = self._settings.schema
        name = schema.rules.attributes.username

        def ask(connection: ServerConnection) -> Sequence[str]:
            found = connection.search_all(schema.people_base, schema.everybody_filter, [name])
            # What is no UTF-8 is no user name; one that is spelled badly is refused at its look-up.
            return sorted(value.decode("utf-8", "replace") for _, entry in found for value in entry[name.lower()])

        return self._ask(question, "list", ask)

    def close(self) -> None:
        """Close the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    # -- what is asked -----------------------------------------------------------------------

    def _record(self, connection: ServerConnection, username: str) -> Record:
        schema = self._settings.schema
        dn, person = self._person(connection, username)
        found = connection.search(
            schema.group_base, schema.group_filter(username, dn, person), schema.group_attributes
        )
        for name in schema.group_names(person):
            found += self._named_group(connection, username, name)
        return Record(person, tuple(entry for _, entry in found))

    def _person(self, connection: ServerConnection, username: str) -> Found:
        found = self._people(connection, username)
        if not found:
            raise NoSuchAccount(username)
        if len(found) > 1:
            raise EntryMalformed(username, _told(found).strip(", "))
        return found[0]

    def _people(self, connection: ServerConnection, username: str) -> list[Found]:
        """All entries of that name, as the directory compares names."""
        schema = self._settings.schema
        if len(username) > _LONGEST_NAME:
            raise NoSuchAccount(username, f"{len(username)} characters")
        try:
            search_filter = schema.person_filter(username)
        except UnicodeEncodeError:
            raise NoSuchAccount(username, "the name is not valid Unicode") from None
        return connection.search(schema.people_base, search_filter, schema.person_attributes)

    @property
    def _nobody(self) -> str:
        """A distinguished name that there is not."""
        schema = self._settings.schema
        return f"{schema.rules.attributes.username}={uuid4().hex},{schema.people_base}"

    def _named_group(self, connection: ServerConnection, username: str, name: bytes) -> list[Found]:
        """A group that the person's entry names; none when it is not a POSIX group."""
        schema = self._settings.schema
        try:
            dn = name.decode("utf-8")
        except UnicodeDecodeError:
            raise EntryMalformed(username, f"{schema.member_attribute} is not UTF-8") from None
        posix_group = f"(objectClass={schema.group_class})"
        return connection.search(dn, posix_group, schema.group_attributes, only_base=True)

    def _accepts(self, question: Question, dn: str, password: str) -> bool:
        """Ask on a connection of its own, so that the kept one never acts as somebody else."""
        connection = self._connect(question, bind=False)
        address = connection.address
        try:
            return self._answered(
                connection, lambda: _counted("login", address, lambda: connection.accepts(dn, password))
            )
        except ConnectionLost as error:
            self._blame(address, question, error)
            raise DirectoryUnreachable(str(error)) from error
        finally:
            connection.close()

    # -- how it is asked ---------------------------------------------------------------------

    def _ask(self, question: Question, operation: str, ask: Callable[[ServerConnection], T]) -> T:
        return self._until_answered(question, lambda: self._once(question, operation, ask))

    def _until_answered(self, question: Question, attempt: Callable[[], T]) -> T:
        """*attempt* until a server answers or nobody waits any more; a restart of the directory passes unseen."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except (DirectoryUntrusted, CredentialRefused, QuestionEnded):
                raise
            except DirectoryUnreachable as error:
                question.last_failure = error.admin_text
                if not question.wait(pause):
                    raise
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _once(self, question: Question, operation: str, ask: Callable[[ServerConnection], T]) -> T:
        """Ask on the kept connection; if that broke since the last question, once more on a new one."""
        if self._kept is not None and not self._servers.is_preferred(self._kept.address):
            self.close()
        if self._kept is not None:
            question.use(self._kept)
            try:
                return self._on(question, self._kept, operation, ask)
            except ConnectionLost as error:
                question.last_failure = str(error)
                if error.silent:
                    # Whoever lets one question's time pass would let the next one's pass, too.
                    self._blame(self._kept.address, question, error)
                self.close()
        self._kept = connection = self._connect(question)
        try:
            return self._on(question, connection, operation, ask)
        except ConnectionLost as error:
            self.close()
            self._blame(connection.address, question, error)
            raise DirectoryUnreachable(str(error)) from error

    def _on(
        self, question: Question, connection: ServerConnection, operation: str, ask: Callable[[ServerConnection], T]
    ) -> T:
        question.answered_by = str(connection.address)
        return self._answered(connection, lambda: _counted(operation, connection.address, lambda: ask(connection)))

    def _answered(self, connection: ServerConnection, ask: Callable[[], T]) -> T:
        """*ask*; only an answer shows that a server is well, for one that hangs still takes connections."""
        try:
            answer = ask()
        except AccountError:
            self._servers.answered(connection.address)
            raise
        self._servers.answered(connection.address)
        return answer

    def _connect(self, question: Question, bind: bool = True) -> ServerConnection:
        """A new connection to the first server that can be had.

        Raises `DirectoryUntrusted` or `CredentialRefused` when that is what is wrong with every server.
        """
        failures: list[DirectoryUnreachable] = []
        for address in self._servers.in_order():
            try:
                connection = self._open(question, address, bind)
            except QuestionEnded:
                raise
            except DirectoryUnreachable as error:
                failures.append(error)
                self._blame(address, question, error.detail)
            else:
                return connection
        kinds = {type(failure) for failure in failures}
        kind = kinds.pop() if len(kinds) == 1 else DirectoryUnreachable
        raise kind("; ".join(failure.detail for failure in failures))

    def _blame(self, address: ServerAddress, question: Question, why: object) -> None:
        if not question.withdrawn(self._settings.deadline / 2):
            self._servers.failed(address, why)

    def _open(self, question: Question, address: ServerAddress, bind: bool) -> ServerConnection:
        connection = ServerConnection(address, self._settings, self._tickets)
        question.use(connection)
        try:
            connection.open()
            if bind:
                connection.bind()
        except BaseException:
            connection.close()
            raise
        return connection


def _told(found: Sequence[Found]) -> str:
    """That there are several entries, for the log."""
    names = "; ".join(dn[:80] for dn, _ in found[:_LIKE_NAMED])
    return f", {len(found)} entries: {names}" if len(found) > 1 else ""


def _counted(operation: str, address: ServerAddress, ask: Callable[[], T]) -> T:
    """*ask*, with its time and outcome on the metrics."""
    started, outcome = time.monotonic(), "lost"
    try:
        answer = ask()
    except Refusal as refused:
        outcome = refused.reason
        raise
    else:
        outcome = "answered"
        return answer
    finally:
        metrics.DIRECTORY_SECONDS.labels(str(address), operation, outcome).observe(time.monotonic() - started)
