"""Entries that a directory can hold and that make no account: each is refused, repaired, and found."""

from typing import Any

import pytest

from ocfspawner.account import AccountRules, Attributes
from ocfspawner.directory.client import Directory
from ocfspawner.directory.schema import Schema
from ocfspawner.errors import DirectoryFailed, EntryMalformed

from .conftest import DirectoryAt
from .proxy import Proxy
from .slapd import GROUPS, PEOPLE, Entries, Slapd


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        pytest.param({"uidNumber": 0}, "uidNumber 0 is outside", id="uid 0"),
        pytest.param({"uidNumber": 65534}, "is not a person's", id="uid 65534"),
        pytest.param({"uidNumber": 2**31}, "2147483648 is outside", id="uid 2147483648"),
        pytest.param({"uidNumber": 2**32 + 1000}, "is outside", id="uid 4294968296"),
        pytest.param({"uidNumber": 10**30}, "not a whole number", id="a uid of 31 digits"),
        pytest.param({"uidNumber": -1000}, "not a whole number", id="a negative uid"),
        pytest.param({"gidNumber": 0}, "on the deny-list", id="gid 0"),
        pytest.param({"gidNumber": -1}, "not a whole number", id="a negative gid"),
        pytest.param({"homeDirectory": "/home/../etc"}, "normalised", id="a home that leads out"),
        pytest.param({"homeDirectory": "/home/{}"}, "plain characters", id="a home with braces"),
        pytest.param({"homeDirectory": "home/guser"}, "absolute", id="a relative home"),
        pytest.param({"homeDirectory": "/etc"}, "not below /home", id="a home over a system path"),
        pytest.param({"homeDirectory": "/home/" + "x" * 2000}, "plain characters", id="a home without end"),
        pytest.param({"homeDirectory": "/home/a b"}, "plain characters", id="a home with a space"),
    ],
)
async def test_a_malformed_entry(directory: Directory, entries: Entries, defect: dict[str, Any], said: str) -> None:
    dn = entries.person("broken", **defect)
    with pytest.raises(EntryMalformed) as refused:
        await directory.lookup("broken")
    assert said in refused.value.admin_text
    entries.change(dn, uidNumber=50000, gidNumber=1000, homeDirectory="/home/b/br/broken")
    assert (await directory.lookup("broken")).account.uid == 50000


LOOSE = Attributes(uid="description", home="l")
"""Attributes whose values the directory does not judge, as another directory's schema may not."""


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        pytest.param({"description": None}, "description has 0 values", id="no uid"),
        pytest.param({"description": ["50000", "50001"]}, "description has 2 values", id="two uids"),
        pytest.param({"description": "many"}, "not a whole number", id="a uid in words"),
        pytest.param({"description": "٥٠٠٠٠"}, "not a whole number", id="a uid in other digits"),
        pytest.param({"l": None}, "l has 0 values", id="no home"),
        pytest.param({"l": ["/home/a", "/home/b"]}, "l has 2 values", id="two homes"),
    ],
)
async def test_a_malformed_entry_of_a_looser_schema(
    slapd: Slapd, directory_at: DirectoryAt, entries: Entries, defect: dict[str, Any], said: str
) -> None:
    directory = directory_at(slapd.port, schema=Schema(rules=AccountRules(attributes=LOOSE)))
    dn = entries.person("broken", **{"description": "50000", "l": "/home/b/br/broken", **defect})
    with pytest.raises(EntryMalformed) as refused:
        await directory.lookup("broken")
    assert said in refused.value.admin_text
    entries.change(dn, description="50000", l="/home/b/br/broken")
    assert (await directory.lookup("broken")).account.uid == 50000


async def test_a_malformed_group_refuses_its_members_rather_than_shrinking_the_list(
    directory: Directory, entries: Entries
) -> None:
    entries.person("member")
    dn = entries.group("odd\\,name", 3001, "member")
    with pytest.raises(EntryMalformed, match="group"):
        await directory.lookup("member")
    entries.change(dn, memberUid="somebody")
    assert (await directory.lookup("member")).account.supplemental_gids == ()


async def test_two_entries_of_one_name(directory: Directory, entries: Entries) -> None:
    for name in ("One", "Two"):
        base = entries.add(f"ou={name},{PEOPLE}", ["organizationalUnit"])
        entries.person("twice", base)
    with pytest.raises(EntryMalformed, match=r"2 entries: uid=twice,ou=One.*uid=twice,ou=Two"):
        await directory.lookup("twice")
    entries.remove()
    entries.person("twice")
    assert (await directory.lookup("twice")).account.username == "twice"


async def test_two_names_in_one_entry(directory: Directory, entries: Entries) -> None:
    dn = entries.person("one", uid=["one", "other"])
    for name in ("one", "other"):
        with pytest.raises(EntryMalformed, match="2 user names in one entry"):
            await directory.lookup(name)
    entries.change(dn, uid="one")
    assert (await directory.lookup("one")).account.username == "one"


async def test_an_alias_is_not_followed(directory: Directory, entries: Entries) -> None:
    entries.add(
        f"uid=nickname,{PEOPLE}",
        ["alias", "extensibleObject"],
        aliasedObjectName=f"uid=guser,{PEOPLE}",
        uid="nickname",
    )
    with pytest.raises(Exception, match="no entry"):
        await directory.lookup("nickname")
    assert (await directory.lookup("guser")).account.uid == 35712


@pytest.mark.parametrize("base", [pytest.param(PEOPLE, id="of people"), pytest.param(GROUPS, id="of groups")])
async def test_a_part_that_lies_on_another_server_is_not_fetched(
    directory: Directory, entries: Entries, base: str
) -> None:
    """A directory that says "ask there" has not said everything; and who is there would see our credential."""
    with Proxy(None) as hostile:
        entries.add(
            f"ou=Elsewhere,{base}",
            ["referral", "extensibleObject"],
            ref=f"ldap://127.0.0.1:{hostile.port}/ou=Elsewhere,{base}",
        )
        with pytest.raises(DirectoryFailed, match="another server"):
            await directory.lookup("guser")
        entries.remove()
        assert (await directory.lookup("guser")).account.uid == 35712
        assert (hostile.accepted, hostile.received) == (0, 0)


async def test_a_base_that_lies_on_another_server_is_not_fetched(
    slapd: Slapd, directory_at: DirectoryAt, entries: Entries
) -> None:
    with Proxy(None) as hostile:
        base = f"ou=Elsewhere,{PEOPLE}"
        entries.add(base, ["referral", "extensibleObject"], ref=f"ldap://127.0.0.1:{hostile.port}/{base}")
        directory = directory_at(slapd.port, schema=Schema(people_base=base))
        with pytest.raises(DirectoryFailed, match=r"referral \(10\)"):
            await directory.lookup("guser")
        assert (hostile.accepted, hostile.received) == (0, 0)
