"""What the directory says of a person."""

import pytest

from ocfspawner.account import Account, AccountRules, Attributes, Group
from ocfspawner.directory.client import Directory
from ocfspawner.directory.schema import Schema
from ocfspawner.errors import NoSuchAccount

from .conftest import DirectoryAt
from .slapd import GROUPS, PEOPLE, Entries, Slapd

OCF = Group("ocf", 1000)


@pytest.mark.parametrize(
    "account",
    [
        pytest.param(
            Account("guser", 35712, 1000, (OCF, Group("ocfhpc", 1006)), "/home/g/gu/guser", "/bin/bash"), id="guser"
        ),
        pytest.param(
            Account("ggroup", 38104, 1000, (OCF, Group("ocfapphost", 1005)), "/home/g/gg/ggroup", "/bin/zsh"),
            id="ggroup",
        ),
        pytest.param(
            Account(
                "gstaff",
                12903,
                1000,
                (OCF, Group("ocfstaff", 1002), Group("ocfhpc", 1006)),
                "/home/g/gs/gstaff",
                "/bin/bash",
            ),
            id="gstaff",
        ),
    ],
)
async def test_accounts_with_their_groups(directory: Directory, account: Account) -> None:
    assert (await directory.lookup(account.username)).account == account


async def test_a_disabled_account_is_found_and_marked(directory: Directory) -> None:
    found = (await directory.lookup("ofc")).account
    assert found.disabled == "its shell is /opt/share/utils/bin/sorried"
    assert found.groups == (Group("sorry", 2390),)


async def test_an_account_that_does_not_exist(directory: Directory) -> None:
    with pytest.raises(NoSuchAccount, match="“nobody”: no entry"):
        await directory.lookup("nobody")
    assert (await directory.lookup("guser")).account.uid == 35712


async def test_a_primary_group_without_an_entry(directory: Directory, entries: Entries) -> None:
    entries.person("loner", gidNumber=4711)
    assert (await directory.lookup("loner")).account.groups == (Group("4711", 4711),)


async def test_many_groups(directory: Directory, entries: Entries) -> None:
    entries.person("joiner")
    for gid in range(3100, 3000, -1):
        entries.group(f"g{gid}", gid, "guser", "joiner")
    found = (await directory.lookup("joiner")).account
    assert found.supplemental_gids == tuple(range(3001, 3101))


async def test_a_person_further_down_is_found(directory: Directory, entries: Entries) -> None:
    base = entries.add(f"ou=Alumni,{PEOPLE}", ["organizationalUnit"])
    entries.person("alumna", base)
    assert (await directory.lookup("alumna")).account.username == "alumna"


async def test_what_is_no_account_is_not_found(directory: Directory, entries: Entries) -> None:
    entries.add(f"uid=printer,{PEOPLE}", ["account"])
    with pytest.raises(NoSuchAccount):
        await directory.lookup("printer")


async def test_a_change_is_seen_by_the_next_lookup(directory: Directory, entries: Entries) -> None:
    dn = entries.person("mover", homeDirectory="/home/old/mover")
    assert (await directory.lookup("mover")).account.home == "/home/old/mover"
    entries.change(dn, homeDirectory="/home/new/mover")
    assert (await directory.lookup("mover")).account.home == "/home/new/mover"
    entries.remove()
    with pytest.raises(NoSuchAccount):
        await directory.lookup("mover")


async def test_who_does_not_match_the_filter_has_no_account(
    slapd: Slapd, entries: Entries, directory_at: DirectoryAt
) -> None:
    directory = directory_at(slapd.port, schema=Schema(people_filter="(description=active)"))
    dn = entries.person("member", description="active", userPassword="right")
    assert (await directory.lookup("member")).account.username == "member"
    assert await directory.usernames() == ["member"]
    assert await directory.authenticate("member", "right")
    entries.change(dn, description="expired")
    with pytest.raises(NoSuchAccount):
        await directory.lookup("member")
    with pytest.raises(NoSuchAccount):
        await directory.authenticate("member", "right")
    assert await directory.usernames() == []


async def test_groups_by_other_attributes(slapd: Slapd, entries: Entries, directory_at: DirectoryAt) -> None:
    names = Attributes(group_name="description")
    directory = directory_at(slapd.port, schema=Schema(rules=AccountRules(attributes=names)))
    entries.person("member", gidNumber=3001)
    entries.add(f"cn=x,{GROUPS}", ["posixGroup"], gidNumber=3001, description="its name")
    assert (await directory.lookup("member")).account.groups == (Group("its name", 3001),)
