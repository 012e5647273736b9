"""What changes in the directory between two look-ups, and names as people may make them up."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupyterhub.spawner import SpawnException

from ocfspawner.account import Group
from ocfspawner.directory.client import Directory
from ocfspawner.errors import AccountError, EntryMalformed, NoSuchAccount

from .slapd import Entries, Slapd


@pytest.fixture
def dn(entries: Entries) -> str:
    """Somebody in two groups, and their entry."""
    dn = entries.person("somebody", userPassword="right")
    entries.group("one", 3001, "somebody")
    entries.group("two", 3002, "somebody")
    return dn


async def test_an_account_that_is_removed(directory: Directory, entries: Entries, dn: str) -> None:
    assert await directory.lookup("somebody")
    entries.remove()
    with pytest.raises(NoSuchAccount):
        await directory.lookup("somebody")
    with pytest.raises(NoSuchAccount):
        await directory.authenticate("somebody", "right")


async def test_an_account_that_is_disabled_by_its_shell_and_enabled_again(
    directory: Directory, entries: Entries, dn: str
) -> None:
    entries.change(dn, loginShell="/opt/share/utils/bin/sorried")
    assert (await directory.lookup("somebody")).account.disabled
    entries.change(dn, loginShell="/bin/bash")
    assert not (await directory.lookup("somebody")).account.disabled


async def test_an_account_that_is_disabled_by_its_group(directory: Directory, entries: Entries, dn: str) -> None:
    entries.change(dn, gidNumber=2390)
    assert (await directory.lookup("somebody")).account.disabled == "it is in group sorry"


async def test_a_uid_that_changes(directory: Directory, entries: Entries, dn: str) -> None:
    assert (await directory.lookup("somebody")).account.uid == 50000
    entries.change(dn, uidNumber=50001)
    assert (await directory.lookup("somebody")).account.uid == 50001
    entries.change(dn, uidNumber=0)
    with pytest.raises(EntryMalformed):
        await directory.lookup("somebody")


async def test_a_group_that_is_left(directory: Directory, entries: Entries, dn: str) -> None:
    assert (await directory.lookup("somebody")).account.supplemental_gids == (3001, 3002)
    entries.change("cn=one,ou=Group,dc=OCF,dc=Berkeley,dc=EDU", memberUid="another")
    assert (await directory.lookup("somebody")).account.groups == (Group("ocf", 1000), Group("two", 3002))


async def test_a_name_that_is_given_to_another_person(directory: Directory, entries: Entries, dn: str) -> None:
    entries.remove()
    entries.person("somebody", uidNumber=50007, homeDirectory="/home/n/ne/new")
    account = (await directory.lookup("somebody")).account
    assert (account.uid, account.home, account.supplemental_gids) == (50007, "/home/n/ne/new", ())


async def test_a_spawner_starts_as_the_directory_has_it_each_time(
    slapd: Slapd, entries: Entries, dn: str, spawner_at: Callable[..., Any]
) -> None:
    spawner = spawner_at(slapd.port, username="somebody")
    await spawner.load_user_options()
    assert spawner.plan.account.uid == 50000
    entries.change(dn, uidNumber=50001)
    await spawner.load_user_options()
    assert spawner.plan.account.uid == 50001
    entries.change(dn, loginShell="/opt/share/utils/bin/sorried")
    with pytest.raises(SpawnException, match="disabled"):
        await spawner.load_user_options()
    assert spawner.plan is None


# -- names -----------------------------------------------------------------------------------

LIKE_GUSER = st.lists(
    st.sampled_from(["g", "u", "s", "e", "r", "G", "U", "ｇ", "ſ", "S", " ", "\u00a0", "\u200b", "\u0301", "*", "\0"]),
    min_size=1,
    max_size=8,
).map("".join)
AROUND = st.sampled_from(["{}", " {}", "{} ", "{}\u00ad", "\\{}", "*{}", "{}*", "{})(uid=*", "{}\n", "\u200b{}"])


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.text(max_size=40), LIKE_GUSER, AROUND.map(lambda around: around.format("guser"))))
async def test_no_name_yields_an_account_of_another_name(directory: Directory, name: str) -> None:
    try:
        account = (await directory.lookup(name)).account
    except AccountError:
        return
    assert account.username == name == "guser"
    assert account.uid == 35712
