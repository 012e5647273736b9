"""What each query of a look-up or log-in may end with (RFC 4511, appendix A)."""

import asyncio
from pathlib import Path

import pytest

from ocfspawner.directory.settings import SimpleBind
from ocfspawner.errors import DirectoryError, DirectoryFailed, DirectoryUnreachable, EntryMalformed, NoSuchAccount

from .conftest import DirectoryAt
from .impostor import BUSY, NO_SUCH_OBJECT, REFERRAL, SIZE_LIMIT, TIME_LIMIT, UNAVAILABLE, UNWILLING, Speaker
from .proxy import Proxy

FINAL = [
    pytest.param(TIME_LIMIT, r"timeLimitExceeded \(3\)", id="timeLimitExceeded"),
    pytest.param(SIZE_LIMIT, r"sizeLimitExceeded \(4\)", id="sizeLimitExceeded"),
    pytest.param(REFERRAL, r"referral \(10\)", id="referral"),
    pytest.param(UNWILLING, r"unwillingToPerform \(53\)", id="unwillingToPerform"),
    pytest.param(80, r"other \(80\)", id="other"),
]
PASSING = [
    pytest.param(BUSY, r"busy \(51\)", id="busy"),
    pytest.param(UNAVAILABLE, r"unavailable \(52\)", id="unavailable"),
]


async def test_a_server_that_succeeds(certificate: Path, directory_at: DirectoryAt) -> None:
    """What the others leave out of what follows."""
    with Speaker(certificate) as server:
        directory = directory_at(server.port)
        assert (await directory.lookup("guser")).account.supplemental_gids == ()
        assert (await directory.authenticate("guser", "secret")).uid == 35712
        assert server.asked == ["person", "groups", "person", "bind", "person", "groups"]


@pytest.mark.parametrize("query", ["person", "groups"])
@pytest.mark.parametrize(("code", "said"), FINAL)
async def test_an_error_is_an_error_though_entries_came(
    certificate: Path, directory_at: DirectoryAt, query: str, code: int, said: str
) -> None:
    with Speaker(certificate, {query: code}) as server:
        directory = directory_at(server.port, deadline=2.0)
        with pytest.raises(DirectoryFailed, match=said):
            await directory.lookup("guser")
        with pytest.raises(DirectoryFailed, match=said):
            await directory.authenticate("guser", "secret")
        assert "bind" not in server.asked or query == "groups"
        server.codes.clear()
        assert await directory.lookup("guser")


@pytest.mark.parametrize(("code", "said"), FINAL)
async def test_a_log_in_that_ends_otherwise_than_yes_or_no(
    certificate: Path, directory_at: DirectoryAt, code: int, said: str
) -> None:
    # ldap3 2.9.1 can't decode a referral at a bind: that is an outage, as all that is not LDAP.
    kind, said = (DirectoryUnreachable, "KeyError") if code == REFERRAL else (DirectoryFailed, f"bind: .*{said}")
    with Speaker(certificate, {"bind": code}) as server, pytest.raises(kind, match=said):
        await directory_at(server.port, deadline=1.5).authenticate("guser", "secret")


async def test_a_server_with_a_code_of_its_own_for_names_that_there_are_not(
    certificate: Path, directory_at: DirectoryAt
) -> None:
    """It is no outage, which would tell the name from one that there is."""
    with Speaker(certificate, {"bind": NO_SUCH_OBJECT}) as server:
        server.person.clear()
        directory = directory_at(server.port)
        with pytest.raises(NoSuchAccount):
            await directory.authenticate("nobody", "secret")
        assert server.asked == ["person", "bind"]
        assert b"secret" not in server.heard


@pytest.mark.parametrize("query", ["person", "groups", "bind"])
async def test_a_code_that_there_is_not(certificate: Path, directory_at: DirectoryAt, query: str) -> None:
    with Speaker(certificate, {query: 127}) as server, pytest.raises(DirectoryError, match="127"):
        await directory_at(server.port, deadline=1.5).authenticate("guser", "secret")


@pytest.mark.parametrize(("code", "said"), [*FINAL, *PASSING])
async def test_a_server_that_does_not_let_the_client_in(
    certificate: Path, directory_at: DirectoryAt, tmp_path: Path, code: int, said: str
) -> None:
    (tmp_path / "password").write_text("secret")
    credential = SimpleBind("cn=hub", tmp_path / "password")
    with Speaker(certificate, {"bind": code}) as server, Speaker(certificate) as other:
        with pytest.raises(DirectoryUnreachable, match="KeyError" if code == REFERRAL else said):
            await directory_at(server.port, credential=credential, deadline=1.5).lookup("guser")
        answer = await directory_at(server.port, other.port, credential=credential).lookup("guser")
        assert answer.server == f"127.0.0.1:{other.port}"


@pytest.mark.parametrize("query", ["person", "groups", "bind"])
@pytest.mark.parametrize(("code", "said"), PASSING)
async def test_a_server_that_sends_us_away_is_an_outage_of_that_server(
    certificate: Path, directory_at: DirectoryAt, query: str, code: int, said: str
) -> None:
    with Speaker(certificate, {query: code}) as server, Speaker(certificate) as other:
        with pytest.raises(DirectoryUnreachable, match=said):
            await directory_at(server.port, deadline=1.5).authenticate("guser", "secret")
        assert await directory_at(server.port, other.port).authenticate("guser", "secret")


async def test_a_server_that_is_busy_for_a_moment_is_asked_again(certificate: Path, directory_at: DirectoryAt) -> None:
    with Speaker(certificate, {"person": BUSY}) as server:
        asked = asyncio.ensure_future(directory_at(server.port).lookup("guser"))
        await asyncio.sleep(0.3)
        server.codes.clear()
        assert await asked


@pytest.mark.parametrize("query", ["person", "groups", "bind"])
async def test_no_referral_is_followed_and_no_credential_arrives_there(
    certificate: Path, directory_at: DirectoryAt, query: str
) -> None:
    with Speaker(certificate, {query: REFERRAL}) as server, Proxy(None) as hostile:
        server.referral = f"ldap://127.0.0.1:{hostile.port}/ou=People"
        with pytest.raises(DirectoryError):
            await directory_at(server.port, deadline=1.5).authenticate("guser", "secret")
        assert (hostile.accepted, hostile.received) == (0, 0)


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        pytest.param("uidNumber", b"\xff\xfe\x00\x01", "uidNumber is not UTF-8", id="a binary uid"),
        pytest.param("uidNumber", b"", "uidNumber '' is not a whole number", id="an empty uid"),
        pytest.param("homeDirectory", b"/home/\xe9", "homeDirectory is not UTF-8", id="a home in Latin-1"),
        pytest.param("homeDirectory", b"/home/a\x00b", "plain characters", id="a home with a NUL"),
        pytest.param("loginShell", b"\xc3\x28", "loginShell is not UTF-8", id="a binary shell"),
        pytest.param("loginShell", b"/" + b"x" * 10_000_000, "loginShell has 10000001 characters", id="10 MB"),
    ],
)
async def test_values_that_no_schema_would_allow(
    certificate: Path, directory_at: DirectoryAt, attribute: str, value: bytes, said: str
) -> None:
    with Speaker(certificate) as server:
        server.person[attribute] = value
        directory = directory_at(server.port)
        with pytest.raises(EntryMalformed, match=said):
            await directory.lookup("guser")
        server.person[attribute] = {"uidNumber": "35712", "homeDirectory": "/home/g"}.get(attribute, "/bin/sh")
        assert await directory.lookup("guser")


async def test_an_entry_of_ten_megabytes_that_was_not_asked_for(certificate: Path, directory_at: DirectoryAt) -> None:
    with Speaker(certificate) as server:
        server.person["jpegPhoto"] = bytes(range(256)) * 40_000
        assert (await directory_at(server.port).lookup("guser")).account.uid == 35712
