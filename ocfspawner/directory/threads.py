"""A few threads that wait for the directory, and keep something each: a connection.

Not a `concurrent.futures.ThreadPoolExecutor`: that starts its threads while the event loop waits for each of them,
and a thread that has started computes before it lets the loop go on.  Here the loop waits for one at most.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar


class _Closing(Protocol):
    def close(self) -> None: ...


K = TypeVar("K", bound=_Closing)
T = TypeVar("T")


class Threads(Generic[K]):
    """At most *most* threads, which start as they are needed; each makes what it keeps by *make*."""

    def __init__(self, most: int, make: Callable[[], K], name: str) -> None:
        self._most = most
        self._make = make
        self._name = name
        self._work: SimpleQueue[tuple[Future[Any], Callable[[K], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = self._idle = 0
        self._starting = False

    def submit(self, ask: Callable[[K], T]) -> Future[T]:
        """What *ask* answers, from a thread, with what that keeps.  A future that is cancelled in time costs none."""
        future: Future[T] = Future()
        self._work.put((future, ask))
        self._grow()
        return future

    def close(self) -> None:
        """Take no more work, and drop what waits.  The threads end, and close what they keep, as they become free."""
        with self._lock:
            # No thread starts any more.
            self._most = 0
            started = self._started
        with suppress(Empty):
            while dropped := self._work.get_nowait():
                dropped[0].cancel()
        for _ in range(started):
            self._work.put(None)

    def _grow(self) -> None:
        """Start a thread when there is more work than threads without; never two at a time."""
        with self._lock:
            enough = self._work.qsize() <= self._idle or self._started >= self._most
            if enough or self._starting:
                return
            self._starting = True
            self._started += 1
            number = self._started
        try:
            # A daemon: what hangs must not keep the Hub from its end.
            threading.Thread(target=self._run, name=f"{self._name}_{number}", daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._starting = False
                self._started -= 1
            raise

    def _run(self) -> None:
        kept = self._make()
        with self._lock:
            self._starting = False
        try:
            while work := self._next():
                future, ask = work
                if future.set_running_or_notify_cancel():
                    _answer(future, ask, kept)
                # Nothing of it is held while this thread waits.
                del work, future, ask
        finally:
            kept.close()

    def _next(self) -> tuple[Future[Any], Callable[[K], Any]] | None:
        with self._lock:
            self._idle += 1
        work = self._work.get()
        with self._lock:
            self._idle -= 1
        with suppress(RuntimeError):
            self._grow()
        return work


def _answer(future: Future[T], ask: Callable[[K], T], kept: K) -> None:
    try:
        answer = ask(kept)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(answer)
