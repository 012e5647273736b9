"""How to reach a directory and what to ask it."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub.spawner import SpawnException
from ldap3.operation.search import AND, MATCH_EQUAL, OR, FilterNode, parse_filter
from traitlets.config import Config

from ocfspawner.account import AccountRules, Attributes
from ocfspawner.directory import kerberos
from ocfspawner.directory.config import LDAPDirectory, the_directory
from ocfspawner.directory.schema import GroupStyle, Schema
from ocfspawner.directory.settings import DirectorySettings, KeytabBind, Security, ServerAddress, SimpleBind
from ocfspawner.errors import ConfigurationError

from .hubless import spawner
from .support import FakeDirectory

SERVER = ServerAddress("ldap.example", 636)
URL = "ldaps://ldap.example"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        pytest.param("ldaps://ldap.example", ServerAddress("ldap.example", 636), id="a name"),
        pytest.param("ldaps://ldap.example/", ServerAddress("ldap.example", 636), id="a slash at the end"),
        pytest.param("ldaps://ldap.example:1636", ServerAddress("ldap.example", 1636), id="a port"),
        pytest.param("ldaps://10.0.0.1", ServerAddress("10.0.0.1", 636), id="an address"),
        pytest.param("ldaps://[fd00::1]:1636", ServerAddress("fd00::1", 1636), id="an address of version 6"),
        pytest.param("LDAPS://LDAP.Example", ServerAddress("ldap.example", 636), id="capitals"),
        pytest.param("ldap://ldap.example", ServerAddress("ldap.example", 389, Security.STARTTLS), id="StartTLS"),
    ],
)
def test_an_address(url: str, address: ServerAddress) -> None:
    assert ServerAddress.parse(url) == address
    assert f"{address.host}:{address.port}" == str(address)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ldapi:///run/ldapi", id="a socket"),
        pytest.param("https://ldap.example", id="another protocol"),
        pytest.param("ldap.example", id="no protocol"),
        pytest.param("", id="nothing"),
        pytest.param("ldaps://", id="no host"),
        pytest.param("ldaps:///dc=OCF", id="a base and no host"),
        pytest.param("ldaps://ldap.example/dc=OCF", id="a base"),
        pytest.param("ldaps://ldap.example?uid", id="attributes"),
        pytest.param("ldaps://cn=admin@ldap.example", id="a user"),
        pytest.param("ldaps://ldap.example:https", id="a port in words"),
        pytest.param("ldaps://ldap.example:65536", id="a port that is none"),
        pytest.param("ldaps://[fd00::1", id="half an address"),
    ],
)
def test_anything_else_is_the_administrator_s_mistake(url: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"LDAPDirectory: {url!r}: ")):
        LDAPDirectory(urls=[url]).directory()
    LDAPDirectory(urls=[URL]).directory().close()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"servers": ()}, id="no server"),
        pytest.param({"connect_timeout": 0}, id="no time to connect"),
        pytest.param({"receive_timeout": 0}, id="no time to answer"),
        pytest.param({"deadline": -1.0}, id="a deadline that has passed"),
        pytest.param({"threads": 0}, id="no thread"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no directory server|above zero"):
        DirectorySettings(**{"servers": (SERVER,), **changes})
    assert DirectorySettings(servers=(SERVER,)).servers == (SERVER,)


def test_what_is_asked_for_is_what_is_read() -> None:
    schema = Schema(rules=AccountRules(attributes=Attributes(username="cn", group_name="description")))
    assert schema.person_attributes == ["cn", "uidNumber", "gidNumber", "homeDirectory", "loginShell"]
    assert schema.group_attributes == ["description", "gidNumber"]


def tree(search_filter: str) -> FilterNode:
    """*search_filter* as ldap3 sends it."""
    root = parse_filter(search_filter, None, auto_escape=True, auto_encode=True, validator=None, check_names=False)
    return root.elements[0]


def equals(node: FilterNode) -> tuple[str, str]:
    """Attribute and value of an equality, unescaped as RFC 4515 says."""
    assert node.tag == MATCH_EQUAL
    value = re.sub(rb"\\([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), node.assertion["value"])
    return node.assertion["attr"], value.decode()


@pytest.mark.parametrize("name", ["*", "gstaff)(uid=*", "*)(|(uid=*", "\\2a", "(", ")", "\0", "é", "a=b", "&", "a b"])
def test_a_name_is_a_value_and_never_part_of_the_question(name: str) -> None:
    person = tree(Schema().person_filter(name))
    assert person.tag == AND
    assert [equals(node) for node in person.elements] == [
        ("objectClass", "posixAccount"),
        ("uid", name),
    ]
    groups = tree(Schema().group_filter(name, "", {"gidnumber": (b"1000",)}))
    assert (groups.tag, groups.elements[1].tag) == (AND, OR)
    assert [equals(node) for node in groups.elements[1].elements] == [
        ("gidNumber", "1000"),
        ("memberUid", name),
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_whatever_the_name_the_question_is_the_same(name: str) -> None:
    person = tree(Schema().person_filter(name))
    assert (person.tag, len(person.elements)) == (AND, 2)
    # ldap3 strips white space, as the directory does when it compares; the answer is compared byte for byte.
    assert equals(person.elements[1]) == ("uid", name.strip())


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_name_and_dn_the_question_for_groups_is_the_same(name: str, dn: str) -> None:
    person = {"gidnumber": (b"1000",), "memberof": (dn.encode(),)}
    for style, member in [(GroupStyle.MEMBER_UID, name), (GroupStyle.MEMBER, dn)]:
        groups = tree(Schema(group_style=style).group_filter(name, dn, person))
        assert (groups.tag, len(groups.elements), groups.elements[1].tag) == (AND, 2, OR)
        by_gid, by_member = map(equals, groups.elements[1].elements)
        assert (by_gid, by_member) == (("gidNumber", "1000"), (style.value, member.strip()))
    groups = tree(Schema(group_style=GroupStyle.MEMBER_OF).group_filter(name, dn, person))
    assert len(groups.elements[1].elements) == 1


@given(st.lists(st.binary(max_size=15), max_size=2))
def test_whatever_the_gid_a_number_is_asked_for(values: list[bytes]) -> None:
    groups = tree(Schema().group_filter("gstaff", "", {"gidnumber": tuple(values)}))
    attribute, value = equals(groups.elements[1].elements[0])
    assert attribute == "gidNumber"
    assert re.fullmatch("[0-9]{1,10}", value)


# -- the administrator's side ----------------------------------------------------------------


def test_the_defaults_are_written_once() -> None:
    assert LDAPDirectory(urls=[URL]).settings() == DirectorySettings(servers=(SERVER,))


def test_each_setting_arrives(tmp_path: Path) -> None:
    configured = LDAPDirectory(
        urls=[URL, "ldaps://two.example:1636"],
        ca_file="/ca.pem",
        bind_dn="cn=hub",
        bind_password_file=str(tmp_path),
        connect_timeout=1.5,
        receive_timeout=2,
        deadline=3.5,
        threads=6,
        people_base="ou=p",
        group_base="ou=g",
        person_class="person",
        people_filter="(mail=*)",
        group_class="group",
        member_attribute="member",
        username_attribute="cn",
        uid_attribute="u",
        gid_attribute="g",
        home_attribute="h",
        shell_attribute="s",
        group_name_attribute="gn",
        group_gid_attribute="gg",
        uid_floor=5,
        uid_ceiling=50,
        denied_uids={7},
        denied_gids={8},
        denied_groups={"wheel"},
        home_prefixes=["/srv"],
        disabled_shells={"/no"},
        disabled_groups={"out"},
    )
    assert configured.settings() == DirectorySettings(
        servers=(SERVER, ServerAddress("two.example", 1636)),
        ca_file=Path("/ca.pem"),
        credential=SimpleBind("cn=hub", tmp_path),
        connect_timeout=1.5,
        receive_timeout=2,
        deadline=3.5,
        threads=6,
        schema=Schema(
            people_base="ou=p",
            group_base="ou=g",
            person_class="person",
            people_filter="(mail=*)",
            group_class="group",
            member="member",
            rules=AccountRules(
                uid_floor=5,
                uid_ceiling=50,
                denied_uids=frozenset({7}),
                denied_gids=frozenset({8}),
                denied_groups=frozenset({"wheel"}),
                home_prefixes=("/srv",),
                disabled_shells=frozenset({"/no"}),
                disabled_groups=frozenset({"out"}),
                attributes=Attributes(
                    username="cn", uid="u", gid="g", home="h", shell="s", group_name="gn", group_gid="gg"
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"bind_dn": "cn=hub"}, "bind_dn and bind_password_file", id="a name without a password"),
        pytest.param({"bind_password_file": "/x"}, "bind_dn and bind_password_file", id="a password without a name"),
        pytest.param({"uid_floor": 0}, "uid range 0–", id="a floor that admits root"),
        pytest.param({"home_prefixes": ["/etc"]}, "home prefix '/etc'", id="homes over a system path"),
        pytest.param({"threads": 0}, "threads", id="no thread"),
        pytest.param({"people_filter": "mail=*"}, "people_filter 'mail=\\*'", id="half a filter"),
        pytest.param({"people_filter": "(mail=*)(uid=*)"}, "people_filter", id="a filter that would be two"),
    ],
)
def test_a_setting_that_cannot_be_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        LDAPDirectory(urls=[URL], **changes).directory()
    LDAPDirectory(urls=[URL]).directory().close()


@pytest.fixture
def keytab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file as a keytab, and the package that could use it."""
    monkeypatch.setattr(kerberos, "is_installed", lambda: True)
    file = tmp_path / "keytab"
    file.touch()
    return file


def test_a_keytab(keytab: Path) -> None:
    with_principal = LDAPDirectory(urls=[URL], kerberos_keytab_file=str(keytab), kerberos_principal="hub@EXAMPLE.EDU")
    assert with_principal.settings().credential == KeytabBind(keytab, "hub@EXAMPLE.EDU")
    assert LDAPDirectory(urls=[URL], kerberos_keytab_file=str(keytab)).settings().credential == KeytabBind(keytab)


def test_a_keytab_needs_a_package(keytab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kerberos, "is_installed", lambda: False)
    with pytest.raises(ConfigurationError, match=r"kerberos_keytab_file needs the package gssapi: pip install"):
        LDAPDirectory(urls=[URL], kerberos_keytab_file=str(keytab)).directory()


def test_a_keytab_that_is_not_there_is_told_at_once(keytab: Path) -> None:
    configured = LDAPDirectory(urls=[URL], kerberos_keytab_file=str(keytab))
    keytab.unlink()
    with pytest.raises(ConfigurationError, match=f"kerberos_keytab_file: {keytab} does not exist"):
        configured.directory()
    keytab.touch()
    configured.directory().close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"kerberos_principal": "hub"}, "goes with kerberos_keytab_file", id="a principal alone"),
        pytest.param({"client_certificate_file": "/a"}, "client_key_file go together", id="a certificate alone"),
        pytest.param(
            {"kerberos_keytab_file": "/a", "bind_dn": "cn=hub", "bind_password_file": "/b"},
            "choose between bind_dn and kerberos_keytab_file",
            id="two ways",
        ),
        pytest.param(
            {
                "client_certificate_file": "/a",
                "client_key_file": "/b",
                "bind_dn": "cn=hub",
                "bind_password_file": "/c",
            },
            "choose between bind_dn and client_certificate_file",
            id="two other ways",
        ),
    ],
)
def test_one_who_asks_and_no_more(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        LDAPDirectory(urls=[URL], **changes).settings()


async def test_a_mistake_in_the_settings_is_a_refusal_and_no_crash() -> None:
    some = spawner(FakeDirectory())
    LDAPDirectory.clear_instance()
    some.config.LDAPDirectory.urls = ["ldapi:///run/ldapi"]
    with pytest.raises(SpawnException) as caught:
        await some.load_user_options()
    assert caught.value.status_code == 500
    assert "expected ldaps://host" in caught.value.log_message
    assert "ldap" not in caught.value.message


def test_spawner_and_authenticator_share_one_directory() -> None:
    parent = LDAPDirectory(config=Config(LDAPDirectory={"urls": [URL]}))
    assert the_directory(parent) is the_directory(parent)
    directory = the_directory(parent).directory()
    assert the_directory(parent).directory() is directory
    directory.close()


def test_without_urls_there_is_no_directory() -> None:
    assert not LDAPDirectory().configured
    assert LDAPDirectory(urls=[URL]).configured
