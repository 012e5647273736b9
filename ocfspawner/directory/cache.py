"""A small memory with an end.  Pure: the clock is handed in."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Remembers values for a time each, and never more than *size* of them.

    When it is full, the one that was put in first goes first.  Not for several threads.
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._values: OrderedDict[K, tuple[float, float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def put(self, key: K, value: V, ttl: float) -> None:
        """Remember *value* for *ttl* seconds; at 0, forget what was there."""
        self._values.pop(key, None)
        if ttl > 0:
            now = self._clock()
            self._values[key] = (now, now + ttl, value)
        while len(self._values) > self._size:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        """What was there is gone."""
        self._values.pop(key, None)

    def get(self, key: K) -> tuple[V, float] | None:
        """The value and its age in seconds, or ``None``."""
        found = self._values.get(key)
        if found is None:
            return None
        since, until, value = found
        now = self._clock()
        if now >= until:
            del self._values[key]
            return None
        return value, now - since
