"""What the client remembers, for how long, and what many who ask at once cost."""

import asyncio

import pytest

from ocfspawner.directory.client import Source
from ocfspawner.errors import DirectoryUnreachable, LoginRefused, NoSuchAccount

from .conftest import DirectoryAt
from .proxy import Proxy
from .slapd import Entries, Slapd

LONG = 3600.0


def searches(slapd: Slapd, username: str) -> int:
    """How often *slapd* was asked for the person."""
    return slapd.log.count(f"(uid={username}))")


async def test_an_account_is_remembered_for_its_time(
    slapd: Slapd, directory_at: DirectoryAt, entries: Entries
) -> None:
    dn = entries.person("remembered", loginShell="/bin/sh")
    directory = directory_at(slapd.port, cache_ttl=0.5)
    first = await directory.lookup("remembered")
    entries.change(dn, loginShell="/bin/zsh")
    again = await directory.lookup("remembered")
    assert (first.source, first.age, first.server) == (Source.DIRECTORY, 0.0, f"127.0.0.1:{slapd.port}")
    assert (again.source, again.account.shell, again.server) == (Source.MEMORY, "/bin/sh", "")
    assert 0 < again.age < 0.5
    await asyncio.sleep(0.5)
    assert (await directory.lookup("remembered")).account.shell == "/bin/zsh"
    assert searches(slapd, "remembered") == 2


async def test_without_a_time_nothing_is_remembered(slapd: Slapd, directory_at: DirectoryAt, entries: Entries) -> None:
    entries.person("forgotten")
    directory = directory_at(slapd.port, cache_ttl=0.0, negative_cache_ttl=0.0)
    for _ in range(3):
        assert (await directory.lookup("forgotten")).source is Source.DIRECTORY
        with pytest.raises(NoSuchAccount):
            await directory.lookup("missing-and-forgotten")
    assert (searches(slapd, "forgotten"), searches(slapd, "missing-and-forgotten")) == (3, 3)


async def test_that_there_is_no_account_is_remembered_for_its_own_time(
    slapd: Slapd, directory_at: DirectoryAt, entries: Entries
) -> None:
    directory = directory_at(slapd.port, cache_ttl=LONG, negative_cache_ttl=0.5)
    refusals = []
    for _ in range(3):
        with pytest.raises(NoSuchAccount, match="“newcomer”: no entry") as refused:
            await directory.lookup("newcomer")
        refusals.append(refused.value)
    assert searches(slapd, "newcomer") == 1
    assert len(set(refusals)) == 3, "each asker has a refusal of their own, for a traceback is written into it"
    entries.person("newcomer")
    await asyncio.sleep(0.5)
    assert await directory.lookup("newcomer")


async def test_that_an_account_is_disabled_is_remembered_for_the_shorter_time(
    slapd: Slapd, directory_at: DirectoryAt, entries: Entries
) -> None:
    dn = entries.person("sorry", loginShell="/opt/share/utils/bin/sorried")
    directory = directory_at(slapd.port, cache_ttl=LONG, negative_cache_ttl=0.5)
    assert (await directory.lookup("sorry")).account.disabled
    entries.change(dn, loginShell="/bin/sh")
    assert (await directory.lookup("sorry")).account.disabled
    await asyncio.sleep(0.5)
    assert not (await directory.lookup("sorry")).account.disabled


async def test_no_outage_is_remembered(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, cache_ttl=LONG, negative_cache_ttl=LONG, deadline=0.5)
    proxy.refusing = True
    with pytest.raises(DirectoryUnreachable):
        await directory.lookup("guser")
    proxy.refusing = False
    assert await directory.lookup("guser")


async def test_no_more_names_are_remembered_than_configured(slapd: Slapd, directory_at: DirectoryAt) -> None:
    directory = directory_at(slapd.port, cache_ttl=LONG, cache_size=2)
    for name in ("guser", "gstaff", "ggroup"):
        await directory.lookup(name)
    assert (await directory.lookup("ggroup")).source is Source.MEMORY
    assert (await directory.lookup("guser")).source is Source.DIRECTORY


async def test_a_log_in_is_never_answered_from_memory(
    slapd: Slapd, directory_at: DirectoryAt, entries: Entries
) -> None:
    dn = entries.person("typist", userPassword="old", loginShell="/bin/sh")
    directory = directory_at(slapd.port, cache_ttl=LONG, negative_cache_ttl=LONG)
    await directory.lookup("typist")
    assert (await directory.authenticate("typist", "old")).shell == "/bin/sh"
    entries.change(dn, userPassword="new", loginShell="/bin/zsh")
    with pytest.raises(LoginRefused):
        await directory.authenticate("typist", "old")
    assert (await directory.lookup("typist")).account.shell == "/bin/sh", "a wrong password changes nothing"
    assert (await directory.authenticate("typist", "new")).shell == "/bin/zsh"
    assert (await directory.lookup("typist")).account.shell == "/bin/zsh", "what a log-in learns is remembered"


async def test_a_log_in_that_finds_no_account_ends_what_was_remembered(
    slapd: Slapd, directory_at: DirectoryAt, entries: Entries
) -> None:
    entries.person("leaver", userPassword="right")
    directory = directory_at(slapd.port, cache_ttl=LONG)
    await directory.lookup("leaver")
    entries.remove()
    assert (await directory.lookup("leaver")).source is Source.MEMORY
    with pytest.raises(NoSuchAccount):
        await directory.authenticate("leaver", "right")
    with pytest.raises(NoSuchAccount):
        await directory.lookup("leaver")


# -- many at once ----------------------------------------------------------------------------


async def test_many_who_ask_for_one_name_ask_once(slapd: Slapd, directory_at: DirectoryAt, entries: Entries) -> None:
    entries.person("famous")
    directory = directory_at(slapd.port)
    answers = await asyncio.gather(*(directory.lookup("famous") for _ in range(50)))
    assert {answer.account.username for answer in answers} == {"famous"}
    assert searches(slapd, "famous") == 1
    await directory.lookup("famous")
    assert searches(slapd, "famous") == 2, "nothing of it is remembered"


async def test_many_who_ask_for_a_name_that_there_is_not_ask_once(slapd: Slapd, directory_at: DirectoryAt) -> None:
    directory = directory_at(slapd.port)
    ended = await asyncio.gather(*(directory.lookup("infamous") for _ in range(50)), return_exceptions=True)
    assert {type(error) for error in ended} == {NoSuchAccount}
    assert searches(slapd, "infamous") == 1


async def test_who_goes_away_does_not_take_the_answer_from_the_others(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port)
    proxy.stalled = True
    asked = [asyncio.ensure_future(directory.lookup("guser")) for _ in range(3)]
    await asyncio.sleep(0.1)
    asked[0].cancel()
    await asyncio.wait([asked[0]])
    proxy.stalled = False
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert [answer.account.uid for answer in answers[1:] if not isinstance(answer, BaseException)] == [35712, 35712]


async def test_who_comes_after_all_went_away_asks_anew(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, deadline=30.0)
    proxy.stalled = True
    asked = asyncio.ensure_future(directory.lookup("guser"))
    await asyncio.sleep(0.1)
    asked.cancel()
    later = asyncio.ensure_future(directory.lookup("guser"))
    proxy.stalled = False
    assert (await asyncio.wait_for(later, 10)).account.uid == 35712
    await asyncio.wait([asked])
    assert asked.cancelled()


async def test_log_ins_at_once_are_each_asked_for_themselves(directory_at: DirectoryAt, slapd: Slapd) -> None:
    directory = directory_at(slapd.port)
    right, wrong = await asyncio.gather(
        directory.authenticate("guser", "guser-demo"),
        directory.authenticate("guser", "wrong"),
        return_exceptions=True,
    )
    assert not isinstance(right, BaseException)
    assert isinstance(wrong, LoginRefused)
