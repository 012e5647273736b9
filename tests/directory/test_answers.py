"""Answers that are not the whole answer, or none at all: they never pass for "no such account" or a shorter list."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocfspawner.directory.schema import Schema
from ocfspawner.directory.settings import Security
from ocfspawner.errors import DirectoryError, DirectoryFailed, DirectoryUnreachable, NoSuchAccount

from .conftest import DirectoryAt
from .impostor import Impostor
from .proxy import Proxy
from .slapd import Slapd

Another = Callable[..., Slapd]
OPEN = "access to *\n\tby * tls_ssf=128 read"


async def test_a_list_of_groups_that_was_cut_short_is_no_list(another: Another, directory_at: DirectoryAt) -> None:
    directory = directory_at(another({"sizelimit -1": "sizelimit 1"}).port)
    assert (await directory.lookup("ofc")).account.supplemental_gids == (), "one group is within the limit"
    with pytest.raises(DirectoryFailed, match=r"sizeLimitExceeded \(4\)"):
        await directory.lookup("guser")


async def test_a_search_that_the_directory_broke_off_found_nobody_and_nobody_is_missing(
    another: Another, directory_at: DirectoryAt
) -> None:
    directory = directory_at(another({"directory data": "directory data\nlimits * size.unchecked=1"}).port)
    with pytest.raises(DirectoryFailed, match=r"adminLimitExceeded \(11\)"):
        await directory.lookup("guser")


@pytest.mark.parametrize("which", ["people_base", "group_base"])
async def test_a_base_that_does_not_exist(slapd: Slapd, directory_at: DirectoryAt, which: str) -> None:
    nowhere: dict[str, Any] = {which: "ou=Nowhere,dc=OCF,dc=Berkeley,dc=EDU"}
    directory = directory_at(slapd.port, schema=Schema(**nowhere))
    with pytest.raises(DirectoryFailed, match=r"search below ou=Nowhere.*noSuchObject \(32\)"):
        await directory.lookup("guser")
    assert (await directory_at(slapd.port).lookup("guser")).account.uid == 35712


async def test_a_base_that_is_no_name(slapd: Slapd, directory_at: DirectoryAt) -> None:
    with pytest.raises(DirectoryFailed, match=r"invalidDNSyntax \(34\)"):
        await directory_at(slapd.port, schema=Schema(people_base="People")).lookup("guser")


async def test_a_directory_that_shows_us_nothing(another: Another, directory_at: DirectoryAt) -> None:
    directory = directory_at(another({OPEN: "access to *\n\tby * none break\naccess to *\n\tby users read"}).port)
    with pytest.raises(DirectoryFailed, match="noSuchObject"):
        await directory.lookup("guser")


async def test_a_person_who_is_not_shown_to_us_is_not_there(another: Another, directory_at: DirectoryAt) -> None:
    hidden = f'access to dn.base="uid=guser,ou=People,dc=OCF,dc=Berkeley,dc=EDU"\n\tby * none\n{OPEN}'
    directory = directory_at(another({OPEN: hidden}).port)
    with pytest.raises(NoSuchAccount):
        await directory.lookup("guser")
    assert (await directory.lookup("gstaff")).account.uid == 12903


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", id="HTTP"),
        pytest.param(b"\0" * 64, id="zeros"),
        pytest.param(b"\xff" * 64, id="ones"),
        pytest.param(b"\x30\x84\xff\xff\xff\xff", id="the beginning of 4 GB"),
        pytest.param(b"\x30\x0c\x02\x01", id="the beginning of a message"),
        pytest.param(b"\x30\x00", id="an empty message"),
        pytest.param(b"\x30\x05\x02\x01\x01\x05\x00", id="a message that says nothing"),
        pytest.param(b"\x30\x80\x02\x01\x01\x00\x00", id="a message of no given length"),
        pytest.param(b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x63\x04\x00\x04\x00", id="a result that is none"),
        pytest.param(
            b"\x30\x0f\x02\x04\x7f\xff\xff\xff\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
            id="the answer to another question",
        ),
        pytest.param(b"\x30\x09\x02\x01\x01\x64\x04\x04\x02\xff\xfe", id="an entry whose name is no text"),
    ],
)
async def test_what_is_not_ldap_is_a_failure_of_the_directory(
    certificate: Path, directory_at: DirectoryAt, answer: bytes
) -> None:
    with Impostor(certificate, answer) as server:
        directory = directory_at(server.port, threads=1, deadline=1.0, receive_timeout=1)
        for _ in range(2):
            with pytest.raises(DirectoryError):
                await directory.lookup("guser")


async def test_an_answer_that_is_cut_short_anywhere_is_no_answer(another: Another, directory_at: DirectoryAt) -> None:
    """Without TLS, which would see it itself; each connection is good for so many bytes."""
    server = another({"tls_ssf=128 ": ""}, scheme="ldap")
    whole = (await directory_at(server.port, security=Security.NONE).lookup("gstaff")).account
    with Proxy(server.port) as proxy:
        # From the first byte on until it is the whole answer: an entry, its end, three groups and their end.
        for cut in itertools.count(0, 11):
            proxy.cut = cut
            directory = directory_at(proxy.port, security=Security.NONE, threads=1, deadline=0.3)
            try:
                found = (await directory.lookup("gstaff")).account
            except DirectoryUnreachable:
                continue
            assert found == whole
            break
    assert cut > 200
