"""The directory, as the event loop sees it: look-ups and log-ins with a deadline.

ldap3 blocks, so it runs in a few threads of its own, apart from the loop's default pool: a hung directory
can't starve anything else.  A deadline that passes closes the socket, which frees the thread; ldap3's own
timeouts count each read, and a server that drips bytes never meets them.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Protocol, TypeVar

from ocfspawner import metrics
from ocfspawner.account import Account, parse_account
from ocfspawner.directory.cache import ExpiringCache
from ocfspawner.directory.schema import Record
from ocfspawner.directory.servers import Servers
from ocfspawner.directory.settings import DirectorySettings
from ocfspawner.directory.store import LastKnownGood
from ocfspawner.directory.worker import Question, Worker
from ocfspawner.errors import AccountError, DirectoryUnreachable, NoSuchAccount

T = TypeVar("T")


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
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="directory")
        self._local = threading.local()
        self._memory: ExpiringCache[str, Account | NoSuchAccount] = ExpiringCache(settings.cache_size)
        self._in_flight: dict[str, asyncio.Task[Answer]] = {}
        file = settings.last_known_good_file
        self._store = LastKnownGood(file, settings.last_known_good_age) if file else None

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
                raise known.with_traceback(None)
            return Answer(known, Source.MEMORY, age)
        flight = self._in_flight.get(username)
        metrics.DIRECTORY_CACHE.labels("joined" if flight else "miss").inc()
        # Shielded: one who goes away must not take the answer from the others.
        return await asyncio.shield(flight or self._take_off(username))

    async def authenticate(self, username: str, password: str) -> Account:
        """The account of *username*, disabled or not, after the directory accepted *password*.

        Never answered from memory.  Raises `LoginRefused` for a wrong password, and what `lookup` raises.
        """
        record = await self._ask(lambda worker, question: worker.login(question, username, password))
        return await self._accept(username, record)

    async def usernames(self) -> Sequence[str]:
        """The names of all people, sorted; some may be refused when they are looked up.

        Asked page by page, which may take long in a large directory: one deadline is for all of it.
        """
        return await self._ask(lambda worker, question: worker.usernames(question))

    def close(self) -> None:
        """Start no more questions.  Kept connections go with their threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    # -- one look-up -------------------------------------------------------------------------

    def _take_off(self, username: str) -> asyncio.Task[Answer]:
        flight = asyncio.create_task(self._fly(username), name="directory look-up")
        self._in_flight[username] = flight

        def land(task: asyncio.Task[Answer]) -> None:
            del self._in_flight[username]
            # Looked at, so that asyncio does not complain when everybody has gone away.
            _ = task.cancelled() or task.exception()

        flight.add_done_callback(land)
        return flight

    async def _fly(self, username: str) -> Answer:
        try:
            record, server = await self._ask(
                lambda worker, question: (worker.lookup(question, username), question.answered_by)
            )
        except NoSuchAccount as error:
            self._memory.put(username, error, self._settings.negative_cache_ttl)
            await self._forget(username)
            raise
        except DirectoryUnreachable:
            answer = await self._last_known_good(username)
            if answer is None:
                raise
            return answer
        return Answer(await self._accept(username, record), Source.DIRECTORY, 0.0, server)

    async def _accept(self, username: str, record: Record) -> Account:
        """Parse what the directory said, and remember it."""
        try:
            account = parse_account(username, record.person, record.groups, self._settings.schema.rules)
        except AccountError:
            await self._forget(username)
            raise
        if account.disabled:
            self._memory.put(username, account, self._settings.negative_cache_ttl)
            await self._forget(username)
        else:
            self._memory.put(username, account, self._settings.cache_ttl)
            if self._store:
                await asyncio.to_thread(self._store.put, username, record)
        return account

    async def _forget(self, username: str) -> None:
        if self._store:
            await asyncio.to_thread(self._store.forget, username)

    async def _last_known_good(self, username: str) -> Answer | None:
        known = await asyncio.to_thread(self._store.get, username) if self._store else None
        if known is None:
            return None
        record, age = known
        # Parsed by the rules of today: what they refuse now was good once, and is so no more.
        account = parse_account(username, record.person, record.groups, self._settings.schema.rules)
        metrics.LAST_KNOWN_GOOD_USES.inc()
        return Answer(account, Source.LAST_KNOWN_GOOD, age)

    # -- threads -----------------------------------------------------------------------------

    async def _ask(self, ask: Callable[[Worker, Question], T]) -> T:
        question = Question()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await loop.run_in_executor(self._threads, partial(self._in_thread, ask, question))
        except TimeoutError:
            question.expired = True
            why = f"no answer within {self._settings.deadline:g} s"
            failure = question.last_failure
            raise DirectoryUnreachable(f"{why}; {failure}" if failure else why) from None
        finally:
            # Also when the caller went away: the thread is wanted by others.
            question.abort()

    def _in_thread(self, ask: Callable[[Worker, Question], T], question: Question) -> T:
        if not hasattr(self._local, "kept"):
            self._local.kept = _Kept(self._settings, self._servers)
        try:
            return ask(self._local.kept.worker, question)
        finally:
            question.answered()


class _Kept:
    """A thread's worker.  The only reference is the thread's own, so the connection is closed as the thread ends.

    The worker itself may live longer: a traceback that somebody keeps leads to it.
    """

    def __init__(self, settings: DirectorySettings, servers: Servers) -> None:
        self.worker = Worker(settings, servers)

    def __del__(self) -> None:
        self.worker.close()
