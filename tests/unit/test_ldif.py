"""A directory out of a file: as a server would answer, by the same rules."""

from pathlib import Path

import pytest

from ocfspawner.account import AccountRules, Group
from ocfspawner.directory.client import Source
from ocfspawner.directory.ldif import LDIFDirectory, read_ldif
from ocfspawner.directory.schema import GroupStyle, Schema
from ocfspawner.errors import ConfigurationError, EntryMalformed, LoginRefused, NoSuchAccount

PEOPLE = Path(__file__).parent / "data" / "people.ldif"
BASES = {"people_base": "ou=p", "group_base": "ou=g"}


@pytest.fixture
def people() -> LDIFDirectory:
    return LDIFDirectory(PEOPLE, Schema())


async def test_an_account_with_its_groups(people: LDIFDirectory) -> None:
    answer = await people.lookup("gstaff")
    assert (answer.account.uid, answer.source, answer.server) == (12903, Source.FILE, "")
    assert answer.account.groups == (Group("ocf", 1000), Group("ocfstaff", 1002))


async def test_base64_folded_lines_and_comments(people: LDIFDirectory) -> None:
    account = (await people.lookup("guser")).account
    assert (account.username, account.home) == ("guser", "/home/g/gu/guser")
    assert account.groups == (Group("ocf", 1000),), "guser2 is somebody else"


async def test_case_and_spaces_of_the_tree_do_not_matter_and_those_of_a_name_do(people: LDIFDirectory) -> None:
    assert (await people.lookup("ofc")).account.disabled
    for name in ("GSTAFF", "gstaff ", " gstaff"):
        with pytest.raises(NoSuchAccount, match="spells it"):
            await people.lookup(name)


async def test_who_lies_elsewhere_is_nobody(people: LDIFDirectory) -> None:
    with pytest.raises(NoSuchAccount, match="no entry"):
        await people.lookup("outside")
    assert await people.usernames() == ["gstaff", "guser", "nohome", "ofc"]


async def test_the_same_rules_refuse(people: LDIFDirectory) -> None:
    with pytest.raises(EntryMalformed, match="homeDirectory has 0 values"):
        await people.lookup("nohome")
    strict = LDIFDirectory(PEOPLE, Schema(rules=AccountRules(uid_floor=20000)))
    with pytest.raises(EntryMalformed, match="outside"):
        await strict.lookup("gstaff")


async def test_a_file_has_no_passwords(people: LDIFDirectory) -> None:
    with pytest.raises(LoginRefused):
        await people.authenticate("gstaff", "gstaff-demo")


PERSON = (
    "dn: uid=a,ou=p\nobjectClass: posixAccount\nuid: a\nuidNumber: 1001\ngidNumber: 5000\nhomeDirectory: /home/a\n"
)
GROUP = "\ndn: CN=x, OU=g\nobjectClass: posixGroup\ncn: x\ngidNumber: 5001\n"


@pytest.mark.parametrize(
    ("style", "text"),
    [
        pytest.param(GroupStyle.MEMBER_UID, f"{PERSON}{GROUP}memberUid: a\n", id="by name"),
        pytest.param(GroupStyle.MEMBER, f"{PERSON}{GROUP}member: UID=a, ou=p\n", id="by distinguished name"),
        pytest.param(GroupStyle.MEMBER_OF, f"{PERSON}memberOf: cn=x,ou=g\n{GROUP}", id="in the person's entry"),
    ],
)
async def test_each_style_of_groups(tmp_path: Path, style: GroupStyle, text: str) -> None:
    path = tmp_path / "people.ldif"
    path.write_text(text)
    found = (await LDIFDirectory(path, Schema(group_style=style, **BASES)).lookup("a")).account  # type: ignore[arg-type]
    assert found.groups == (Group("5000", 5000), Group("x", 5001))


async def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.ldif"
    path.write_text(f"{PERSON}\n{PERSON.replace('ou=p', 'ou=q,ou=p')}")
    with pytest.raises(EntryMalformed, match="2 entries"):
        await LDIFDirectory(path, Schema(**BASES)).lookup("a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("uid: a\n", ":1: an entry begins with dn:", id="no dn"),
        pytest.param("dn: x\nuid: a\nrubbish\n", ":3: not LDIF", id="no colon"),
        pytest.param("dn: x\nuid:: !!!\n", ":2: not base64", id="bad base64"),
        pytest.param("dn: x\njpegPhoto:< file:///etc/passwd\n", ":2: a value that lies elsewhere", id="a file"),
        pytest.param("dn: x\nchangetype: delete\n", ":2: a change", id="a change"),
    ],
)
def test_what_is_no_ldif_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.ldif"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"bad.ldif{said}"):
        list(read_ldif(path))


def test_dos_line_ends_and_options_of_attributes(tmp_path: Path) -> None:
    path = tmp_path / "dos.ldif"
    path.write_bytes(b"dn: x\r\ncn;lang-en: a\r\nCN: b\r\n\r\n\r\ndn:: eQ==\r\ncn: c")
    assert list(read_ldif(path)) == [("x", {"cn": [b"a", b"b"]}), ("y", {"cn": [b"c"]})]
