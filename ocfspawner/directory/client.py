"""The directory, as the event loop sees it: look-ups and log-ins with a deadline.

ldap3 blocks, so it runs in a few threads of its own, apart from the loop's default pool: a hung directory
can't starve anything else.  A deadline that passes closes the socket, which frees the thread; ldap3's own
timeouts count each read, and a server that drips bytes never meets them.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Protocol, TypeVar

from ocfspawner import metrics
from ocfspawner.account import Account, parse_account
from ocfspawner.directory.cache import ExpiringCache
from ocfspawner.directory.kerberos import Tickets
from ocfspawner.directory.question import Question
from ocfspawner.directory.schema import Record
from ocfspawner.directory.servers import Servers
from ocfspawner.directory.settings import DirectorySettings
from ocfspawner.directory.store import LastKnownGood
from ocfspawner.directory.threads import Threads
from ocfspawner.directory.worker import Worker
from ocfspawner.errors import AccountError, DirectoryUnreachable, LoginRefused, NoSuchAccount

T = TypeVar("T")

_STORE_PATIENCE = 0.4
"""Seconds, on top of the deadline, that the store of last known good answers may take."""


class Source(Enum):
    """Where an answer comes from."""

    DIRECTORY = "directory"
    MEMORY = "memory"
    LAST_KNOWN_GOOD = "last known good"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Answer:
    """An account, and how far it can be relied on."""

    account: Account
    source: Source
    age: float
    """Seconds since the directory said so."""

    server: str = ""
    """Which server was asked; empty when none was."""


class Accounts(Protocol):
    """Whatever can be asked for accounts as a `Directory` can."""

    async def lookup(self, username: str) -> Answer:
        """See `Directory.lookup`."""

    async def authenticate(self, username: str, password: str) -> Account:
        """See `Directory.authenticate`."""

    async def usernames(self) -> Sequence[str]:
        """See `Directory.usernames`."""

    def close(self) -> None:
        """See `Directory.close`."""


class Directory:
    """A user directory.  Making one does no I/O; the threads start with the first question."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._servers = Servers(settings.servers, settings.retry_failed_server_after)
        tickets = Tickets()
        self._threads = Threads(settings.threads, lambda: Worker(settings, self._servers, tickets), "directory")
        self._memory: ExpiringCache[str, Account | NoSuchAccount] = ExpiringCache(settings.cache_size)
        self._one_a_turn = asyncio.Lock()
        self._in_flight: dict[str, _Flight] = {}
        file = settings.last_known_good_file
        self._store = LastKnownGood(file, settings.last_known_good_age) if file else None
        # One thread, so that what is written stays in order, and a disk that hangs holds up nothing else.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="directory-store")

    async def lookup(self, username: str) -> Answer:
        """The account of *username*, disabled or not.

        Look-ups of one name at the same time are one question.  Raises `NoSuchAccount`, `EntryMalformed` or a
        `DirectoryError`, at the latest when the deadline passes.
        """
        remembered = self._memory.get(username)
        if remembered:
            metrics.DIRECTORY_CACHE.labels("hit").inc()
            known, age = remembered
            if isinstance(known, NoSuchAccount):
                # A new one: a traceback is the asker's own.
                raise NoSuchAccount(username, known.detail)
            return Answer(known, Source.MEMORY, age)
        flight = self._in_flight.get(username)
        metrics.DIRECTORY_CACHE.labels("joined" if flight else "miss").inc()
        return await self._landed(username, flight or self._take_off(username))

    async def authenticate(self, username: str, password: str) -> Account:
        """The account of *username*, disabled or not, after the directory accepted *password*.

        Never answered from memory.  Raises `LoginRefused` for a wrong password, and what `lookup` raises.
        """
        account, _ = await self._said(username, lambda worker, question: worker.login(question, username, password))
        return account

    async def usernames(self) -> Sequence[str]:
        """The names of all people, sorted; some may be refused when they are looked up.

        Asked page by page, which may take long in a large directory: one deadline is for all of it.
        """
        return await self._ask(lambda worker, question: worker.usernames(question))

    def close(self) -> None:
        """Start no more questions.  Kept connections go with their threads."""
        self._threads.close()
        self._writer.shutdown(wait=False)

    # -- one look-up -------------------------------------------------------------------------

    def _take_off(self, username: str) -> "_Flight":
        flight = _Flight(asyncio.create_task(self._fly(username), name="directory look-up"))
        self._in_flight[username] = flight

        def land(task: asyncio.Task[Answer]) -> None:
            self._forget_flight(username, flight)
            # Looked at, so that asyncio does not complain when everybody has gone away.
            _ = task.cancelled() or task.exception()

        flight.task.add_done_callback(land)
        return flight

    async def _landed(self, username: str, flight: "_Flight") -> Answer:
        """Wait without a claim: one who goes away doesn't take the answer from the others."""
        flight.waiting += 1
        try:
            await asyncio.wait([flight.task])
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                # Nobody waits any more, and the thread is wanted by others.
                self._forget_flight(username, flight)
                flight.task.cancel()
        return flight.task.result()

    def _forget_flight(self, username: str, flight: "_Flight") -> None:
        if self._in_flight.get(username) is flight:
            del self._in_flight[username]

    async def _fly(self, username: str) -> Answer:
        try:
            account, server = await self._said(username, lambda worker, question: worker.lookup(question, username))
        except NoSuchAccount as error:
            # A new one: a traceback leads to all that was at work.
            remembered = NoSuchAccount(username, error.detail)
            self._memory.put(username, remembered, self._settings.negative_cache_ttl)
            raise
        except DirectoryUnreachable:
            answer = await self._last_known_good(username)
            if answer is None:
                raise
            return answer
        return Answer(account, Source.DIRECTORY, 0.0, server)

    async def _said(self, username: str, ask: Callable[[Worker, Question], Record]) -> tuple[Account, str]:
        """What the directory says, and which server; remembered, or all that was remembered is forgotten."""
        try:
            record, server = await self._ask(lambda worker, question: (ask(worker, question), question.answered_by))
            account = parse_account(username, record.person, record.groups, self._settings.schema.rules)
        except LoginRefused:
            # Says nothing of the account.
            raise
        except AccountError:
            self._memory.forget(username)
            await self._stored(lambda store: store.forget(username))
            raise
        ttl = self._settings.negative_cache_ttl if account.disabled else self._settings.cache_ttl
        self._memory.put(username, account, ttl)
        await self._stored(lambda store: store.forget(username) if account.disabled else store.put(username, record))
        return account, server

    # -- last known good ---------------------------------------------------------------------

    async def _last_known_good(self, username: str) -> Answer | None:
        known = await self._stored(lambda store: store.get(username))
        if known is None:
            return None
        record, age = known
        # Parsed by the rules of today: what they refuse now was good once, and is so no more.
        account = parse_account(username, record.person, record.groups, self._settings.schema.rules)
        metrics.LAST_KNOWN_GOOD_USES.inc()
        return Answer(account, Source.LAST_KNOWN_GOOD, age)

    async def _stored(self, ask: Callable[[LastKnownGood], T]) -> T | None:
        """What the store answers; ``None`` without a store, or when its disk takes too long."""
        if self._store is None:
            return None
        asked = asyncio.get_running_loop().run_in_executor(self._writer, ask, self._store)
        # What is not awaited to its end is written all the same.
        done, _ = await asyncio.wait([asked], timeout=_STORE_PATIENCE)
        return asked.result() if done else None

    # -- threads -----------------------------------------------------------------------------

    async def _ask(self, ask: Callable[[Worker, Question], T]) -> T:
        question = Question()
        asked = self._threads.submit(partial(_answered, ask, question))
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await asyncio.wrap_future(asked)
        except TimeoutError:
            question.expired = True
            question.abort()
            why = f"no answer within {self._settings.deadline:g} s"
            failure = question.last_failure
            # One in each turn of the loop: the Hub makes a page of each, and goes on with other things in between.
            async with self._one_a_turn:
                await asyncio.sleep(0)
            raise DirectoryUnreachable(f"{why}; {failure}" if failure else why) from None
        finally:
            # Also when the caller went away: the thread is wanted by others.
            question.abort()


class _Flight:
    """A look-up under way, and how many wait for it."""

    def __init__(self, task: asyncio.Task[Answer]) -> None:
        self.task = task
        self.waiting = 0


def _answered(ask: Callable[[Worker, Question], T], question: Question, worker: Worker) -> T:
    """What *worker* answers, in its thread."""
    try:
        return ask(worker, question)
    finally:
        question.answered()
