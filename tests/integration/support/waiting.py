"""Waiting with a deadline, and a word on what was waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def wait_for(what: str, probe: Callable[[], T], timeout: float = 60, every: float = 0.2) -> T:
    """The first true answer of *probe*; fails the test, saying *what* did not come, after *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:g} s for {what}; the last answer was {answer!r}")
        time.sleep(every)
