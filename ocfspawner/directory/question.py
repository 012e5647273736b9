"""One look-up or one log-in, which its deadline may abort from outside at any moment."""

import threading
import time

from ocfspawner.directory.connection import ServerConnection
from ocfspawner.errors import DirectoryUnreachable


class QuestionEnded(DirectoryUnreachable):
    """Nobody waits for this answer any more."""


class Question:
    """One look-up or log-in, and the connection that it is using at the moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: ServerConnection | None = None
        self._aborted = threading.Event()
        self._began = 0.0
        self.expired = False
        """Whether it ends because its time is up."""

        self.last_failure = ""
        """What went wrong most recently, for the log."""

        self.answered_by = ""
        """The server that answered."""

    def use(self, connection: ServerConnection) -> None:
        """Name the connection to abort; raises `QuestionEnded` when that has happened already."""
        with self._lock:
            self._connection, self._began = connection, time.monotonic()
            if self._aborted.is_set():
                raise QuestionEnded("nobody waits any more")

    def withdrawn(self, patience: float) -> bool:
        """Whether it ended for a reason that no server is to blame for.

        A server is, for a question that expires after waiting for *patience* seconds for it; the question may have
        come to it in its last moment.
        """
        waited = time.monotonic() - self._began
        return self._aborted.is_set() and not (self.expired and waited >= patience)

    def wait(self, seconds: float) -> bool:
        """Wait, and say whether the answer is still wanted."""
        return not self._aborted.wait(seconds)

    def answered(self) -> None:
        """Nothing is left to abort."""
        with self._lock:
            self._connection = None

    def abort(self) -> None:
        """End it, wherever it waits; nothing when it was answered.  Never blocks."""
        with self._lock:
            self._aborted.set()
            if self._connection is not None:
                self._connection.abort()
