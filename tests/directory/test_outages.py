"""A directory that is down, slow, silent, or comes back: every question ends in time, and the next one works."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest

from ocfspawner.errors import DirectoryUnreachable

from .conftest import DirectoryAt
from .proxy import Proxy
from .slapd import Slapd, free_port

EVERYBODY = ["guser", "gstaff", "ggroup", "ofc"]
"""The people in the demo's directory."""

SLACK = 0.5
"""Seconds after its deadline at which a question must have ended."""

PATIENT: dict[str, Any] = {"threads": 1, "connect_timeout": 30.0, "receive_timeout": 30}
"""Settings with which nothing but the deadline ends a question, and one that hangs keeps the only thread."""


@asynccontextmanager
async def refused_after(seconds: float, at_least: float | None = None) -> AsyncIterator[None]:
    """What is inside fails with DirectoryUnreachable, *seconds* from now."""
    begin = time.monotonic()
    with pytest.raises(DirectoryUnreachable):
        yield
    least = seconds - 0.1 if at_least is None else at_least
    assert least <= time.monotonic() - begin <= seconds + SLACK


async def test_a_server_that_is_stopped_and_started_again(
    another: Callable[..., Slapd], directory_at: DirectoryAt
) -> None:
    server = another()
    directory = directory_at(server.port, deadline=1.0)
    assert await directory.lookup("guser")
    server.stop()
    async with refused_after(1.0):
        await directory.lookup("guser")
    server.start()
    assert await directory.lookup("guser")


async def test_a_server_that_was_never_there(directory_at: DirectoryAt) -> None:
    async with refused_after(1.0):
        await directory_at(free_port(), deadline=1.0).lookup("guser")


async def test_a_name_that_does_not_resolve(directory_at: DirectoryAt) -> None:
    with pytest.raises(DirectoryUnreachable, match=r"ldap\.invalid"):
        await directory_at(636, host="ldap.invalid", deadline=2.0).lookup("guser")


@pytest.mark.parametrize("kept", [pytest.param(False, id="before TLS"), pytest.param(True, id="on a kept connection")])
async def test_a_black_hole_ends_at_the_deadline_and_frees_the_thread(
    proxy: Proxy, directory_at: DirectoryAt, kept: bool
) -> None:
    directory = directory_at(proxy.port, deadline=1.0, **PATIENT)
    if kept:
        await directory.lookup("guser")
    proxy.stalled = True
    async with refused_after(1.0):
        await directory.lookup("guser")
    proxy.stalled = False
    assert await directory.lookup("guser")


@contextmanager
def server_that_takes_no_connection() -> Iterator[int]:
    """The port of a server whose queue is full: the kernel drops what comes, as a firewall does."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(server.getsockname())
        yield server.getsockname()[1]


async def test_a_server_that_takes_no_connection_ends_at_the_deadline(slapd: Slapd, directory_at: DirectoryAt) -> None:
    with server_that_takes_no_connection() as port:
        directory = directory_at(port, slapd.port, deadline=1.0, **PATIENT)
        async with refused_after(1.0):
            await directory.lookup("guser")
    assert await directory.lookup("guser"), "its port now refuses, and the second server answers"


async def test_a_server_that_takes_no_connection_is_passed_by(slapd: Slapd, directory_at: DirectoryAt) -> None:
    with server_that_takes_no_connection() as port:
        assert await directory_at(port, slapd.port, connect_timeout=0.5).lookup("guser")


async def test_a_deadline_that_passes_before_there_is_a_connection_still_holds(
    proxy: Proxy, directory_at: DirectoryAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the name is slow to resolve, which nothing can break off."""
    resolve, go_on = socket.getaddrinfo, threading.Event()

    def resolve_slowly(*question: Any) -> Any:
        if threading.current_thread().name.startswith("directory"):
            go_on.wait(10)
        return resolve(*question)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_slowly)
    proxy.stalled = True
    directory = directory_at(proxy.port, deadline=0.5, **PATIENT)
    async with refused_after(0.5):
        await directory.lookup("guser")
    go_on.set()
    async with asyncio.timeout(5):
        while not (proxy.accepted and proxy.open == 0):  # noqa: ASYNC110 - the proxy has a thread of its own
            await asyncio.sleep(0.01)
    proxy.stalled = False
    assert await directory.lookup("guser")


async def test_a_log_in_into_a_black_hole(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, deadline=1.0, **PATIENT)
    await directory.lookup("guser")
    proxy.stalled = True
    async with refused_after(1.0):
        await directory.authenticate("guser", "guser-demo")
    proxy.stalled = False
    assert await directory.authenticate("guser", "guser-demo")


@pytest.mark.parametrize("kept", [pytest.param(False, id="during TLS"), pytest.param(True, id="on a kept connection")])
async def test_a_server_that_drips_ends_at_the_deadline_too(
    proxy: Proxy, directory_at: DirectoryAt, kept: bool
) -> None:
    """Each byte comes well within receive_timeout, which for a handshake is one for all of its bytes."""
    directory = directory_at(proxy.port, **{**PATIENT, "deadline": 1.5, "receive_timeout": 1})
    if kept:
        await directory.lookup("guser")
    proxy.drip = 0.3
    async with refused_after(1.5, at_least=1.0):
        await directory.lookup("guser")
    proxy.drip = 0
    assert await directory.lookup("guser")


async def test_a_server_that_is_slow_is_waited_for(proxy: Proxy, directory_at: DirectoryAt) -> None:
    proxy.delay = 0.1
    assert await directory_at(proxy.port, deadline=8.0).lookup("guser")


async def test_a_server_that_closes_at_once(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, deadline=1.0)
    proxy.refusing = True
    async with refused_after(1.0):
        await directory.lookup("guser")
    proxy.refusing = False
    assert await directory.lookup("guser")


async def test_a_silent_server_is_given_up_before_the_deadline_and_asked_again(
    proxy: Proxy, directory_at: DirectoryAt
) -> None:
    directory = directory_at(proxy.port, threads=1, receive_timeout=1, deadline=8.0)
    proxy.stalled = True
    begin = time.monotonic()
    asked = asyncio.ensure_future(directory.lookup("guser"))
    while proxy.accepted < 2:  # noqa: ASYNC110 - the proxy has a thread of its own
        await asyncio.sleep(0.01)
    assert 1.0 <= time.monotonic() - begin < 3
    proxy.stalled = False
    assert await asked


async def test_a_server_that_comes_back_within_the_deadline_was_never_away(
    another: Callable[..., Slapd], directory_at: DirectoryAt
) -> None:
    server = another()
    directory = directory_at(server.port)
    server.stop()
    asked = asyncio.gather(directory.lookup("guser"), directory.authenticate("gstaff", "gstaff-demo"))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.start)
    answer, account = await asked
    assert (answer.account.uid, account.uid) == (35712, 12903)


# -- kept connections ------------------------------------------------------------------------


async def test_a_kept_connection_is_used_again(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, threads=1)
    for _ in range(5):
        await directory.lookup("guser")
    assert proxy.accepted == 1


async def test_a_connection_that_was_dropped_while_idle_is_made_anew(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, threads=1)
    for expected in (1, 2, 3):
        assert (await directory.lookup("guser")).account.uid == 35712
        assert proxy.accepted == expected
        proxy.drop()


async def test_a_restart_of_the_server_is_not_noticed(
    another: Callable[..., Slapd], directory_at: DirectoryAt
) -> None:
    server = another()
    directory = directory_at(server.port)
    await asyncio.gather(*(directory.lookup(name) for name in EVERYBODY))
    server.stop()
    server.start()
    found = await asyncio.gather(*(directory.lookup(name) for name in EVERYBODY))
    assert [answer.account.username for answer in found] == EVERYBODY


async def test_questions_whose_callers_went_away_free_their_threads(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, deadline=30.0, **PATIENT)
    await directory.lookup("guser")
    proxy.stalled = True
    asked = asyncio.ensure_future(directory.lookup("guser"))
    received = proxy.received
    while proxy.received == received:  # noqa: ASYNC110 - the proxy has a thread of its own
        await asyncio.sleep(0.01)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    proxy.stalled = False
    assert await asyncio.wait_for(directory.lookup("guser"), 5)


async def test_questions_that_wait_for_a_thread_end_in_time_too(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, deadline=1.0, **PATIENT)
    proxy.stalled = True
    begin = time.monotonic()
    ended = await asyncio.gather(*(directory.lookup(f"user{n}") for n in range(20)), return_exceptions=True)
    assert time.monotonic() - begin <= 1.0 + SLACK
    assert {type(error) for error in ended} == {DirectoryUnreachable}
    proxy.stalled = False
    assert await directory.lookup("guser")


# -- several servers -------------------------------------------------------------------------


async def test_the_second_server_is_asked_when_the_first_is_down(slapd: Slapd, directory_at: DirectoryAt) -> None:
    assert await directory_at(free_port(), slapd.port).lookup("guser")


async def test_the_second_server_is_asked_when_the_first_is_silent(slapd: Slapd, directory_at: DirectoryAt) -> None:
    with Proxy(None) as silent:
        directory = directory_at(silent.port, slapd.port, receive_timeout=1, threads=1)
        assert await directory.lookup("guser")
        assert silent.accepted == 1
        assert await directory.lookup("guser")
        assert silent.accepted == 1, "the connection to the second is kept"


async def test_the_first_server_is_asked_while_it_answers(
    slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt
) -> None:
    with Proxy(slapd.port) as second:
        directory = directory_at(proxy.port, second.port, threads=1)
        await directory.lookup("guser")
        assert (proxy.accepted, second.accepted) == (1, 0)
        proxy.refusing = True
        proxy.drop()
        assert await directory.lookup("guser")
        assert second.accepted == 1


async def test_when_all_are_down_each_is_named(directory_at: DirectoryAt) -> None:
    one, other = free_port(), free_port()
    with pytest.raises(DirectoryUnreachable) as refused:
        await directory_at(one, other, deadline=1.0).lookup("guser")
    assert f"127.0.0.1:{one}" in refused.value.admin_text
    assert f"127.0.0.1:{other}" in refused.value.admin_text
    assert "127.0.0.1" not in refused.value.user_text
