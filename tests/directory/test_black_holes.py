"""Directories that accept and never answer, at three depths, while fifty people wait."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ocfspawner.directory.settings import Security
from ocfspawner.errors import DirectoryUnreachable

from .conftest import DirectoryAt
from .proxy import Proxy
from .slapd import Slapd, free_port

DEADLINE, SLACK, WAITING, THREADS = 2.0, 0.5, 50, 4
NAMES = [f"user{n}" for n in range(WAITING)]


@pytest.fixture
def behind(slapd: Slapd, another: Callable[..., Slapd]) -> Iterator[Callable[[Security], Proxy]]:
    """A proxy in front of a server that speaks as it is asked to."""
    with ExitStack() as stack:

        def make(security: Security) -> Proxy:
            port = slapd.port if security is Security.TLS else another({"tls_ssf=128 ": ""}, scheme="ldap").port
            return stack.enter_context(Proxy(port))

        yield make


async def closed_but(number: int, proxy: Proxy) -> None:
    """No more than *number* connections are open, or soon will be."""
    until = time.monotonic() + 5
    while proxy.open > number:
        assert time.monotonic() < until, f"{proxy.open} connections are open"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("security", list(Security), ids=lambda security: security.value)
@pytest.mark.parametrize("kept", [pytest.param(False, id="from the start"), pytest.param(True, id="when connected")])
async def test_a_black_hole_with_fifty_waiting(
    behind: Callable[[Security], Proxy], directory_at: DirectoryAt, security: Security, kept: bool
) -> None:
    proxy = behind(security)
    # No other timeout is shorter than the deadline.
    patient = {"connect_timeout": 30.0, "receive_timeout": 30}
    directory = directory_at(proxy.port, security=security, threads=THREADS, deadline=DEADLINE, **patient)
    if kept:
        await asyncio.gather(*map(directory.lookup, NAMES), return_exceptions=True)
        assert 1 <= proxy.open <= THREADS
    proxy.stalled = True
    begin = time.monotonic()

    async def ended(name: str) -> float:
        with pytest.raises(DirectoryUnreachable):
            await directory.lookup(name)
        return time.monotonic() - begin

    took = await asyncio.gather(*map(ended, NAMES))
    assert DEADLINE - 0.1 <= min(took) <= max(took) <= DEADLINE + SLACK
    assert len([thread for thread in threading.enumerate() if thread.name.startswith("directory_")]) <= THREADS
    proxy.stalled = False
    # All threads are free: as many questions as there are threads are answered at once.
    answers = await asyncio.gather(*map(directory.lookup, ["guser", "gstaff", "ggroup", "ofc"]))
    assert [answer.account.username for answer in answers] == ["guser", "gstaff", "ggroup", "ofc"]
    # What the proxy did not see while it was stalled: that the others were closed.
    await closed_but(THREADS, proxy)


async def test_a_deadline_in_the_moment_of_connecting(slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt) -> None:
    """Deadlines of every length up to that of a whole look-up: none of them hangs a thread or a connection."""
    for length in range(1, 40):
        directory = directory_at(proxy.port, threads=1, deadline=length / 1000, receive_timeout=30)
        await asyncio.gather(directory.lookup("guser"), return_exceptions=True)
        directory.close()
    await closed_but(0, proxy)


async def test_nothing_but_refusals_comes_out_of_a_directory_that_is_not_there(directory_at: DirectoryAt) -> None:
    directory = directory_at(free_port(), deadline=0.3)
    ended = await asyncio.gather(
        directory.lookup("guser"),
        directory.authenticate("guser", "x"),
        directory.usernames(),
        return_exceptions=True,
    )
    assert {type(error) for error in ended} == {DirectoryUnreachable}
