"""Threads that wait for the directory: as few as will do, and never more than there may be."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from ocfspawner.directory.threads import Threads

PATIENCE = 10


class Kept:
    """What a thread keeps."""

    closed = 0

    def close(self) -> None:
        Kept.closed += 1


@pytest.fixture
def threads() -> Threads[Kept]:
    Kept.closed = 0
    return Threads(3, Kept, "test")


def running() -> int:
    return len([thread for thread in threading.enumerate() if thread.name.startswith("test_")])


def ended(threads: Threads[Kept]) -> bool:
    threads.close()
    until = time.monotonic() + PATIENCE
    while running():
        assert time.monotonic() < until
        time.sleep(0.001)
    return True


def test_none_before_there_is_work_and_one_for_one_thing_after_the_other(threads: Threads[Kept]) -> None:
    assert running() == 0
    kept = {threads.submit(lambda kept: kept).result(PATIENCE)}
    for _ in range(20):
        time.sleep(0.001)
        kept.add(threads.submit(lambda kept: kept).result(PATIENCE))
    assert len(kept) == running() <= 2, "one may not have come to rest yet"
    assert ended(threads)
    assert len(kept) == Kept.closed


def test_as_many_as_there_is_work_and_no_more(threads: Threads[Kept]) -> None:
    go_on, at_work = threading.Event(), threading.Semaphore(0)

    def wait(kept: Kept) -> Kept:
        at_work.release()
        go_on.wait(PATIENCE)
        return kept

    waiting = [threads.submit(wait) for _ in range(10)]
    for _ in range(3):
        assert at_work.acquire(timeout=PATIENCE)
    assert not at_work.acquire(timeout=0.05), "there may be three"
    assert running() == 3
    go_on.set()
    assert len({future.result(PATIENCE) for future in waiting}) == 3
    assert ended(threads)
    assert Kept.closed == 3


def test_one_that_hangs_does_not_keep_the_others_from_work(threads: Threads[Kept]) -> None:
    go_on = threading.Event()
    hanging = threads.submit(lambda _: go_on.wait(PATIENCE))
    for _ in range(20):
        assert threads.submit(lambda _: 1).result(PATIENCE) == 1
    assert not hanging.done()
    go_on.set()
    assert hanging.result(PATIENCE)
    assert ended(threads)


def test_an_exception_is_the_asker_s(threads: Threads[Kept]) -> None:
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda _: 1 / 0).result(PATIENCE)
    assert threads.submit(lambda _: 1).result(PATIENCE) == 1
    assert ended(threads)


def test_what_is_cancelled_in_time_or_waits_at_the_end_is_not_done(threads: Threads[Kept]) -> None:
    go_on, done = threading.Event(), []
    for _ in range(3):
        threads.submit(lambda _: go_on.wait(PATIENCE))
    cancelled, dropped = threads.submit(lambda _: done.append(1)), threads.submit(lambda _: done.append(2))
    assert cancelled.cancel()
    threads.close()
    go_on.set()
    assert ended(threads)
    with pytest.raises(CancelledError):
        dropped.result(PATIENCE)
    assert not done
