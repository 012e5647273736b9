"""Names that a directory takes for another one's: LDAP compares without regard to case, spaces and Unicode form."""

import contextlib
import time

import pytest

from ocfspawner.directory.client import Directory
from ocfspawner.errors import EntryMalformed, NoSuchAccount

from .conftest import DirectoryAt
from .proxy import Proxy
from .slapd import PEOPLE, Entries

NAMES = [
    pytest.param("GUSER", id="in capitals"),
    pytest.param("Guser", id="with one capital"),
    pytest.param("guser ", id="with a space behind"),
    pytest.param(" guser", id="with a space before"),
    pytest.param("guser\u00a0", id="with a no-break space"),
    pytest.param("guser\n", id="with a line break"),
    pytest.param("guser\t", id="with a tab"),
    pytest.param("guser\u200b", id="with a space of no width"),
    pytest.param("guser\u00ad", id="with a soft hyphen"),
    pytest.param("ｇuser", id="with a fullwidth letter"),
    pytest.param("guſer", id="with a long s"),
    pytest.param("*", id="a wildcard"),
    pytest.param("gu*", id="the start of a name"),
    pytest.param("guser)(uid=*", id="an injection"),
    pytest.param("*)(objectClass=*", id="another injection"),
    pytest.param("\\67user", id="an escape"),
    pytest.param("guser\0", id="with a NUL"),
    pytest.param("\0", id="a NUL"),
    pytest.param("guser\ud800", id="with a lone surrogate"),
    pytest.param("", id="nothing"),
    pytest.param(" ", id="a space"),
    pytest.param("x" * 256, id="longer than the Hub's names"),
    pytest.param("x" * 300_000, id="longer than what a directory reads"),
    pytest.param(")" * 300_000, id="as long, and to be escaped"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_is_not_the_entry_s_is_refused_and_soon(directory: Directory, name: str) -> None:
    begin = time.monotonic()
    with pytest.raises(NoSuchAccount):
        await directory.lookup(name)
    assert time.monotonic() - begin < 2
    assert (await directory.lookup("guser")).account.uid == 35712


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        pytest.param("jos\u00e9", "jos\u00e9", id="an accent"),
        pytest.param("a:b", "a:b", id="a colon"),
        pytest.param("a b", "a b", id="a space in the middle"),
        pytest.param("a(b", "a(b", id="a parenthesis"),
        pytest.param("a*b", "a*b", id="an asterisk"),
        pytest.param("a\\b", "a\\b", id="a backslash"),
    ],
)
async def test_a_name_that_the_directory_has_and_passwd_cannot(
    directory: Directory, entries: Entries, name: str, spelled: str
) -> None:
    entries.add(
        f"cn=odd,{PEOPLE}",
        ["account", "posixAccount"],
        uid=spelled,
        uidNumber=50000,
        gidNumber=1000,
        homeDirectory="/home/o/od/odd",
    )
    with pytest.raises(EntryMalformed, match="passwd"):
        await directory.lookup(name)


async def test_another_unicode_form_is_another_name(directory: Directory, entries: Entries) -> None:
    entries.person("jos\u00e9", homeDirectory="/home/j/jo/jose")
    with pytest.raises(NoSuchAccount):
        await directory.lookup("jose\u0301")


async def test_a_refused_name_costs_no_connection(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, threads=1)
    for name in ("guser", "GUSER", "*", "\0", "x" * 300_000, "guser"):
        with contextlib.suppress(NoSuchAccount):
            await directory.lookup(name)
    assert proxy.accepted == 1
