"""Several servers, and servers that are restarted: nothing fails that the deadline allowed."""

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from ocfspawner.directory.client import Directory
from ocfspawner.errors import DirectoryUnreachable

from .conftest import DirectoryAt
from .impostor import Speaker
from .proxy import Proxy
from .slapd import Slapd

Another = Callable[..., Slapd]
PEOPLE = ["guser", "gstaff", "ggroup", "ofc"]


def up(server: Slapd | Proxy | Speaker) -> float | None:
    """The server's state on ``/hub/metrics``."""
    return REGISTRY.get_sample_value("ocfspawner_directory_server_up", {"server": f"127.0.0.1:{server.port}"})


async def answered_by(directory: Directory, server: Slapd | Proxy | Speaker) -> bool:
    """Whether *server* is the one that answers everybody."""
    answers = await asyncio.gather(*map(directory.lookup, PEOPLE))
    return {answer.server for answer in answers} == {f"127.0.0.1:{server.port}"}


async def test_fail_over_and_fail_back(
    another: Another, directory_at: DirectoryAt, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = another(), another()
    directory = directory_at(first.port, second.port, retry_failed_server_after=3.0)
    assert await answered_by(directory, first)
    first.stop()
    assert await answered_by(directory, second)
    assert (up(first), up(second)) == (0, 1)
    first.start()
    assert await answered_by(directory, second), "its pause is not over"
    await asyncio.sleep(3.1)
    until = time.monotonic() + 5
    while not await answered_by(directory, first):
        assert time.monotonic() < until
    assert (up(first), up(second)) == (1, 1)
    said = [record.getMessage() for record in caplog.records if record.name == "ocfspawner.directory.servers"]
    assert [line.split(":", 2)[0] + ":" + line.split(":", 2)[1].split(",")[0] for line in said] == [
        f"Directory server 127.0.0.1:{first.port} failed",
        f"Directory server 127.0.0.1:{first.port} answers again",
    ]


async def test_a_server_whose_pause_is_over_costs_one_look_up_and_not_all(
    slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt
) -> None:
    directory = directory_at(proxy.port, slapd.port, receive_timeout=2, retry_failed_server_after=0.5, threads=4)
    proxy.refusing = True
    await asyncio.gather(*map(directory.lookup, PEOPLE))
    proxy.refusing = False
    proxy.stalled = True
    accepted = proxy.accepted
    await asyncio.sleep(0.6)

    async def took(name: str) -> float:
        begin = time.monotonic()
        assert (await directory.lookup(name)).server == f"127.0.0.1:{slapd.port}"
        return time.monotonic() - begin

    *quick, slowest = sorted(await asyncio.gather(*map(took, PEOPLE)))
    assert proxy.accepted == accepted + 1
    assert max(quick) < 1.5 < slowest < 4


async def test_a_server_that_takes_connections_and_answers_none_is_not_well(
    certificate: Path, slapd: Slapd, directory_at: DirectoryAt
) -> None:
    with Speaker(certificate) as hung:
        hung.mute = True
        directory = directory_at(hung.port, slapd.port, receive_timeout=1, retry_failed_server_after=1.5, threads=4)
        assert (await directory.lookup("guser")).server == f"127.0.0.1:{slapd.port}"
        assert up(hung) == 0
        await asyncio.sleep(1.6)
        asked = asyncio.gather(*map(directory.lookup, PEOPLE))
        await asyncio.sleep(0.5)
        assert up(hung) == 0, "it takes connections, which is no answer"
        assert {answer.server for answer in await asked} == {f"127.0.0.1:{slapd.port}"}
        hung.mute = False
        until = time.monotonic() + 5
        while (await directory.lookup("guser")).server != f"127.0.0.1:{hung.port}":
            assert time.monotonic() < until
        assert up(hung) == 1


async def test_a_deadline_that_passes_at_once_speaks_against_no_server(
    slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt
) -> None:
    """As of a question that waited for a thread nearly all of its time."""
    directory = directory_at(proxy.port, slapd.port, threads=1, deadline=2.0, receive_timeout=30)
    await directory.lookup("guser")
    proxy.stalled = True
    first = asyncio.ensure_future(directory.lookup("guser"))
    await asyncio.sleep(0.1)
    # It comes to a thread when the first one is withdrawn, a moment before its end.
    second = asyncio.ensure_future(directory.lookup("gstaff"))
    await asyncio.sleep(1.7)
    first.cancel()
    with pytest.raises(DirectoryUnreachable):
        await second
    assert up(proxy) == 1


async def test_a_kept_connection_that_falls_silent_leads_to_the_next_server_at_once(
    slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt
) -> None:
    directory = directory_at(proxy.port, slapd.port, receive_timeout=1, deadline=1.9, threads=1)
    assert (await directory.lookup("guser")).server == f"127.0.0.1:{proxy.port}"
    proxy.stalled = True
    assert (await directory.lookup("guser")).server == f"127.0.0.1:{slapd.port}"


async def test_log_ins_fail_over_too(slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, slapd.port, threads=1)
    await directory.lookup("guser")
    proxy.refusing = True
    assert (await directory.authenticate("guser", "guser-demo")).uid == 35712


async def test_a_restart_under_load_fails_nobody(another: Another, directory_at: DirectoryAt) -> None:
    server = another()
    directory = directory_at(server.port)
    done, names = asyncio.Event(), itertools.cycle(PEOPLE)
    found: list[str] = []

    async def ask() -> None:
        while not done.is_set():
            name = next(names)
            assert (await directory.lookup(name)).account.username == name
            found.append(name)

    async def log_in() -> None:
        while not done.is_set():
            assert (await directory.authenticate("guser", "guser-demo")).uid == 35712

    asking = [asyncio.ensure_future(ask()) for _ in range(8)] + [asyncio.ensure_future(log_in())]
    for _ in range(2):
        before = len(found)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        until = time.monotonic() + 10
        while len(found) < before + 20:
            assert time.monotonic() < until
            await asyncio.sleep(0.01)
    done.set()
    await asyncio.gather(*asking)


async def test_a_question_that_was_withdrawn_speaks_against_no_server(
    slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt
) -> None:
    directory = directory_at(proxy.port, slapd.port, threads=1)
    await directory.lookup("guser")
    proxy.stalled = True
    asked = asyncio.ensure_future(directory.lookup("guser"))
    await asyncio.sleep(0.1)
    asked.cancel()
    await asyncio.wait([asked])
    proxy.stalled = False
    assert (await directory.lookup("guser")).server == f"127.0.0.1:{proxy.port}"


async def test_when_nobody_answers_it_is_said_what_went_wrong_with_each(
    slapd: Slapd, proxy: Proxy, directory_at: DirectoryAt
) -> None:
    with Proxy(None) as silent:
        proxy.refusing = True
        directory = directory_at(proxy.port, silent.port, deadline=2.5, receive_timeout=1)
        with pytest.raises(DirectoryUnreachable, match=r"no answer within 2\.5 s") as refused:
            await directory.lookup("guser")
    assert all(f"127.0.0.1:{port}: " in refused.value.admin_text for port in (proxy.port, silent.port))
