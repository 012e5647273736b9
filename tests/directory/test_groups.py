"""How a directory says who is in a group: by name, by distinguished name, or in the person's entry."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ocfspawner.account import Group
from ocfspawner.directory.client import Directory
from ocfspawner.directory.config import LDAPDirectory
from ocfspawner.directory.schema import PRESETS, GroupStyle, Schema
from ocfspawner.errors import EntryMalformed

from .conftest import DirectoryAt
from .slapd import GROUPS, PEOPLE, Entries, Slapd

NIS = Path("/etc/ldap/schema/nis.schema")
POSIX_GROUP = "NAME 'posixGroup'\n\tDESC 'Abstraction of a group of accounts'\n\tSUP top STRUCTURAL"
TREE = """\
dn: dc=OCF,dc=Berkeley,dc=EDU
objectClass: dcObject
objectClass: organization
o: OCF

dn: ou=People,dc=OCF,dc=Berkeley,dc=EDU
objectClass: organizationalUnit

dn: ou=Group,dc=OCF,dc=Berkeley,dc=EDU
objectClass: organizationalUnit
"""
ODD = "uid=o\\2Cd(d)*,ou=People,dc=OCF,dc=Berkeley,dc=EDU"
"""A name with everything that a filter takes for its own."""


@pytest.fixture(scope="module")
def bis(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Slapd]:
    """A server of RFC 2307bis, where a POSIX group is an auxiliary of groupOfNames, with the overlay memberof."""
    nis = NIS.read_text()
    assert POSIX_GROUP in nis
    configuration = {
        "include /etc/ldap/schema/nis.schema": "include rfc2307bis.schema",
        "moduleload back_mdb": "moduleload back_mdb\nmoduleload memberof",
        "directory data": "directory data\noverlay memberof",
    }
    files = {
        "rfc2307bis.schema": nis.replace(POSIX_GROUP, POSIX_GROUP.replace("STRUCTURAL", "AUXILIARY")),
        "directory.ldif": TREE,
    }
    with Slapd(tmp_path_factory.mktemp("bis"), certificate, configuration, files) as server:
        yield server


@pytest.fixture
def bis_entries(bis: Slapd) -> Iterator[Entries]:
    """A person in two POSIX groups, of which one is theirs, and in one group that is none."""
    with bis.entries() as entries:
        entries.person("ada")
        ada, other = f"uid=ada,{PEOPLE}", entries.person("other")
        posix, plain = ["groupOfNames", "posixGroup"], ["groupOfNames"]
        entries.add(f"cn=primary,{GROUPS}", posix, gidNumber=1000, member=[other])
        entries.add(f"cn=crew,{GROUPS}", posix, gidNumber=3001, member=[other, ada])
        entries.add(f"cn=others,{GROUPS}", posix, gidNumber=3002, member=[other])
        entries.add(f"cn=mail,{GROUPS}", plain, member=[ada])
        yield entries


@pytest.mark.parametrize("style", [GroupStyle.MEMBER, GroupStyle.MEMBER_OF])
async def test_groups_by_distinguished_name(
    bis: Slapd, bis_entries: Entries, directory_at: DirectoryAt, style: GroupStyle
) -> None:
    directory = directory_at(bis.port, schema=Schema(group_style=style))
    account = (await directory.lookup("ada")).account
    assert account.groups == (Group("primary", 1000), Group("crew", 3001))


async def test_groups_by_name_are_none_there(bis: Slapd, bis_entries: Entries, directory_at: DirectoryAt) -> None:
    account = (await directory_at(bis.port, schema=Schema()).lookup("ada")).account
    assert account.groups == (Group("primary", 1000),)


@pytest.mark.parametrize("style", [GroupStyle.MEMBER, GroupStyle.MEMBER_OF])
async def test_a_distinguished_name_is_a_value_and_no_part_of_the_question(
    bis: Slapd, bis_entries: Entries, directory_at: DirectoryAt, style: GroupStyle
) -> None:
    bis_entries.add(
        ODD,
        ["account", "posixAccount"],
        uid=["o,d(d)*", "odd"],
        cn="odd",
        uidNumber=50001,
        gidNumber=1000,
        homeDirectory="/home/o/od/odd",
    )
    bis_entries.add(f"cn=odd,{GROUPS}", ["groupOfNames", "posixGroup"], gidNumber=3003, member=[ODD])
    directory = directory_at(bis.port, schema=Schema(group_style=style))
    with pytest.raises(EntryMalformed, match="2 user names"):
        await directory.lookup("odd")
    assert 3003 not in (await directory.lookup("ada")).account.supplemental_gids


@pytest.mark.parametrize(
    ("settings", "style"),
    [
        pytest.param({}, "memberUid", id="the default"),
        pytest.param({"schema_preset": "rfc2307bis"}, "member", id="rfc2307bis"),
        pytest.param({"schema_preset": "rfc2307bis", "group_style": "memberOf"}, "memberOf", id="overridden"),
        pytest.param({"member_attribute": "uniqueMember"}, "memberUid", id="another attribute"),
    ],
)
def test_presets(settings: dict[str, Any], style: str) -> None:
    schema = LDAPDirectory(urls=["ldaps://ldap.example"], **settings).schema()
    assert schema.group_style.value == style
    assert schema.member_attribute == settings.get("member_attribute", style)


async def test_a_preset_finds_the_groups(bis: Slapd, bis_entries: Entries, directory_at: DirectoryAt) -> None:
    account = (await directory_at(bis.port, schema=PRESETS["rfc2307bis"]).lookup("ada")).account
    assert account.group_names == {"primary", "crew"}


async def test_the_order_of_groups_does_not_depend_on_the_directory_s(directory: Directory, entries: Entries) -> None:
    entries.person("joiner")
    for gid in (3020, 3001, 3100, 3010):
        entries.group(f"g{gid}", gid, "joiner")
    assert (await directory.lookup("joiner")).account.supplemental_gids == (3001, 3010, 3020, 3100)


@pytest.mark.parametrize("groups", [16, 18])
async def test_the_log_names_the_groups_that_nfs_does_not_carry(
    slapd: Slapd, entries: Entries, spawner_at: Callable[..., Any], caplog: pytest.LogCaptureFixture, groups: int
) -> None:
    entries.person("joiner")
    for gid in range(3000 + groups, 3000, -1):
        entries.group(f"g{gid}", gid, "joiner")
    spawner = spawner_at(slapd.port, username="joiner")
    with caplog.at_level(logging.WARNING):
        await spawner.load_user_options()
    assert spawner.plan.account.supplemental_gids == tuple(range(3001, 3001 + groups))
    warned = [record.getMessage() for record in caplog.records if "NFS" in record.getMessage()]
    assert warned == (["joiner: NFS carries 16 groups, not on files: g3017, g3018"] if groups > 16 else [])
