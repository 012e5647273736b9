"""The directory, as the event loop sees it: look-ups and log-ins with a deadline.

ldap3 blocks, so it runs in a few threads of its own, apart from the loop's default pool: a hung directory
can't starve anything else.  A deadline that passes closes the socket, which frees the thread; ldap3's own
timeouts count each read, and a server that drips bytes never meets them.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from ocfspawner.account import Account
from ocfspawner.directory.settings import DirectorySettings
from ocfspawner.directory.worker import Question, Worker
from ocfspawner.errors import DirectoryUnreachable

T = TypeVar("T")


class Directory:
    """A user directory.  Making one does no I/O; the threads start with the first question."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="directory")
        self._local = threading.local()

    async def lookup(self, username: str) -> Account:
        """The account of *username*, disabled or not.

        Raises `NoSuchAccount`, `EntryMalformed` or a `DirectoryError`, at the latest when the deadline passes.
        """
        return await self._ask(lambda worker, question: worker.lookup(question, username))

    async def authenticate(self, username: str, password: str) -> Account:
        """The account of *username*, disabled or not, after the directory accepted *password*.

        Raises `LoginRefused` for a wrong password, and what `lookup` raises.
        """
        return await self._ask(lambda worker, question: worker.login(question, username, password))

    def close(self) -> None:
        """Start no more questions.  Kept connections go with their threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, ask: Callable[[Worker, Question], T]) -> T:
        question = Question()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await loop.run_in_executor(self._threads, partial(self._in_thread, ask, question))
        except TimeoutError:
            raise DirectoryUnreachable(f"no answer within {self._settings.deadline:g} s") from None
        finally:
            # Also when the caller went away: the thread is wanted by others.
            question.abort()

    def _in_thread(self, ask: Callable[[Worker, Question], T], question: Question) -> T:
        if not hasattr(self._local, "kept"):
            self._local.kept = _Kept(self._settings)
        try:
            return ask(self._local.kept.worker, question)
        finally:
            question.answered()


class _Kept:
    """A thread's worker.  The only reference is the thread's own, so the connection is closed as the thread ends.

    The worker itself may live longer: a traceback that somebody keeps leads to it.
    """

    def __init__(self, settings: DirectorySettings) -> None:
        self.worker = Worker(settings)

    def __del__(self) -> None:
        self.worker.close()
