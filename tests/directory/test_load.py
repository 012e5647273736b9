"""Many questions at once: few connections, and an event loop that does not notice."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ocfspawner.directory.client import Directory
from ocfspawner.directory.settings import DirectorySettings, ServerAddress
from ocfspawner.errors import DirectoryUnreachable

from .conftest import DirectoryAt
from .proxy import Proxy
from .slapd import Entries, Slapd

TICK = 0.01
STALL = 0.25
"""Seconds that the loop may be late: far from what a blocking call takes, and more than a busy machine."""


@asynccontextmanager
async def loop_that_ticks() -> AsyncIterator[None]:
    """The event loop goes on while what is inside happens."""
    gaps = [0.0]

    async def tick() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK)
            gaps.append(time.monotonic() - before - TICK)

    ticking = asyncio.ensure_future(tick())
    try:
        yield
    finally:
        ticking.cancel()
    assert len(gaps) > 5
    assert max(gaps) < STALL


async def test_a_hundred_people_at_once_take_no_more_connections_than_threads(
    proxy: Proxy, directory_at: DirectoryAt, entries: Entries
) -> None:
    names = [f"user{n}" for n in range(100)]
    for number, name in enumerate(names):
        entries.person(name, uidNumber=40000 + number)
    directory = directory_at(proxy.port, threads=4, deadline=30.0)
    async with loop_that_ticks():
        found = await asyncio.gather(*map(directory.lookup, names))
    assert [(answer.account.username, answer.account.uid) for answer in found] == [
        (name, 40000 + number) for number, name in enumerate(names)
    ]
    assert 1 <= proxy.accepted <= 4


async def test_log_ins_take_a_connection_each_and_give_it_back(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, threads=2, deadline=30.0)
    async with loop_that_ticks():
        await asyncio.gather(*(directory.authenticate("guser", "guser-demo") for _ in range(10)))
    assert proxy.accepted <= 2 + 10
    until = time.monotonic() + 5
    while proxy.open > 2:
        assert time.monotonic() < until, f"{proxy.open} connections are open"
        await asyncio.sleep(TICK)


async def test_fifty_questions_into_a_black_hole_leave_the_loop_alone(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, threads=4, deadline=1.5, receive_timeout=30)
    proxy.stalled = True
    async with loop_that_ticks():
        ended = await asyncio.gather(*(directory.lookup(f"user{n}") for n in range(50)), return_exceptions=True)
    assert {type(error) for error in ended} == {DirectoryUnreachable}


async def test_a_directory_that_nobody_asks_has_no_thread_and_no_connection(proxy: Proxy) -> None:
    before = threading.active_count()
    directory = Directory(DirectorySettings(servers=(ServerAddress("127.0.0.1", proxy.port),)))
    assert (threading.active_count(), proxy.accepted) == (before, 0)
    directory.close()


async def test_closing_ends_threads_and_connections(slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port)
    await asyncio.gather(*(directory.lookup(f"user{n}") for n in range(8)), return_exceptions=True)
    assert 1 <= proxy.open <= 4
    directory.close()
    until = time.monotonic() + 5
    while proxy.open or any(thread.name.startswith("directory") for thread in threading.enumerate()):
        assert time.monotonic() < until, f"{proxy.open} connections are open"
        await asyncio.sleep(TICK)
