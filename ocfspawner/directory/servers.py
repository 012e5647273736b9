"""Which server to ask next."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from ocfspawner import metrics
from ocfspawner.directory.settings import ServerAddress

log = logging.getLogger(__name__)


class Servers:
    """Servers in their order of preference; one that failed is passed over for a while.

    Shared between threads.
    """

    def __init__(
        self, addresses: Sequence[ServerAddress], pause: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._addresses = tuple(addresses)
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._failed_at: dict[ServerAddress, float] = {}
        for address in self._addresses:
            metrics.SERVER_UP.labels(str(address)).set(1)

    def in_order(self) -> list[ServerAddress]:
        """All servers: those worth a try first, then those that failed of late, in case they are back.

        A server whose pause is over is given to one caller to try; for the others its pause begins again.
        """
        with self._lock:
            passed_over = self._passed_over()
            for address in self._failed_at.keys() - passed_over:
                self._failed_at[address] = self._clock()
        return sorted(self._addresses, key=lambda address: address in passed_over)

    def is_preferred(self, current: ServerAddress) -> bool:
        """Whether no server that ranks before *current* is worth a try."""
        with self._lock:
            passed_over = self._passed_over()
        return next((a for a in self._addresses if a not in passed_over), current) == current

    def _passed_over(self) -> set[ServerAddress]:
        return {address for address, at in self._failed_at.items() if self._clock() < at + self._pause}

    def failed(self, address: ServerAddress, why: object) -> None:
        """*address* did not answer, or not usefully."""
        with self._lock:
            news = address not in self._failed_at
            self._failed_at[address] = self._clock()
        metrics.SERVER_UP.labels(str(address)).set(0)
        if news:
            log.warning("Directory server %s failed, and is passed over for %g s: %s", address, self._pause, why)

    def answered(self, address: ServerAddress) -> None:
        """*address* is well."""
        with self._lock:
            news = self._failed_at.pop(address, None) is not None
        metrics.SERVER_UP.labels(str(address)).set(1)
        if news:
            log.warning("Directory server %s answers again", address)
