"""Whom the client believes to be the directory."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ocfspawner.directory.settings import SimpleBind
from ocfspawner.errors import DirectoryUnreachable, DirectoryUntrusted

from .authority import Authority, self_signed
from .conftest import DirectoryAt
from .impostor import Impostor
from .proxy import Proxy
from .slapd import Slapd

Another = Callable[..., Slapd]


@pytest.fixture
def server_called(authority: Authority, another: Another, tmp_path: Path) -> Callable[[str], Slapd]:
    """Starts a server with a good certificate for a host."""
    return lambda host: another(certificate=authority.issue(tmp_path / "tls", host))


@pytest.mark.parametrize(
    ("name", "host"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", id="an address"),
        pytest.param("localhost", "localhost", id="a name"),
        pytest.param("LOCALHOST", "localhost", id="a name in capitals"),
    ],
)
async def test_a_certificate_for_the_host_is_believed(
    server_called: Callable[[str], Slapd], directory_at: DirectoryAt, name: str, host: str
) -> None:
    directory = directory_at(server_called(name).port, host=host)
    assert (await directory.lookup("guser")).account.uid == 35712


@pytest.mark.parametrize(
    ("name", "host"),
    [
        pytest.param("ldap.example", "127.0.0.1", id="another name"),
        pytest.param("127.0.0.2", "127.0.0.1", id="another address"),
        pytest.param("ldap.example", "localhost", id="another name than the name"),
        pytest.param("127.0.0.1", "localhost", id="the address, but not the name"),
        pytest.param("localhost", "127.0.0.1", id="the name, but not the address"),
    ],
)
async def test_a_certificate_for_another_host_is_not(
    server_called: Callable[[str], Slapd], directory_at: DirectoryAt, name: str, host: str
) -> None:
    directory = directory_at(server_called(name).port, host=host)
    with pytest.raises(DirectoryUntrusted, match=r"mismatch|not valid for"):
        await directory.lookup("guser")


async def test_a_certificate_that_has_expired_is_not(
    authority: Authority, another: Another, directory_at: DirectoryAt, tmp_path: Path
) -> None:
    server = another(certificate=authority.issue(tmp_path / "tls", "127.0.0.1", expired=True))
    with pytest.raises(DirectoryUntrusted, match="expired"):
        await directory_at(server.port).lookup("guser")


async def test_a_certificate_of_another_authority_is_not_and_nothing_is_told_to_its_holder(
    another: Another, directory_at: DirectoryAt, tmp_path: Path
) -> None:
    theirs = Authority(tmp_path / "theirs")
    server = another(certificate=theirs.issue(tmp_path / "tls", "127.0.0.1"))
    password = tmp_path / "password"
    password.write_text("secret")
    credential = SimpleBind("cn=hub", password)
    with pytest.raises(DirectoryUntrusted, match="CERTIFICATE_VERIFY_FAILED") as refused:
        await directory_at(server.port, credential=credential).lookup("guser")
    assert "can't be reached" in refused.value.user_text
    assert "BIND" not in server.log
    assert "SRCH" not in server.log
    assert (await directory_at(server.port, ca_file=theirs.file).lookup("guser")).account.uid == 35712


async def test_a_certificate_that_nobody_signed_is_not(
    another: Another, directory_at: DirectoryAt, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path / "tls", "127.0.0.1")
    server = another(certificate=certificate)
    with pytest.raises(DirectoryUntrusted, match="CERTIFICATE_VERIFY_FAILED"):
        await directory_at(server.port).lookup("guser")
    assert "SRCH" not in server.log
    assert await directory_at(server.port, ca_file=certificate / "tls.crt").lookup("guser")


async def test_the_authorities_may_change_while_the_hub_runs(
    slapd: Slapd, proxy: Proxy, authority: Authority, directory_at: DirectoryAt, tmp_path: Path
) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(authority.file.read_bytes())
    directory = directory_at(proxy.port, ca_file=file, threads=1)
    assert await directory.lookup("guser")
    file.write_bytes(Authority(tmp_path / "theirs").file.read_bytes())
    proxy.drop()
    with pytest.raises(DirectoryUntrusted):
        await directory.lookup("guser")
    file.write_bytes(authority.file.read_bytes())
    assert await directory.lookup("guser")


async def test_ldap3_s_own_look_at_names_has_no_part_in_it(
    server_called: Callable[[str], Slapd], directory_at: DirectoryAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Python 3.12 and newer it knows no addresses, and would take a certificate's common name (tls_backport.py)."""

    def ask(*_: object) -> None:
        pytest.fail("ldap3 was asked")

    monkeypatch.setattr("ldap3.core.tls.match_hostname", ask)
    monkeypatch.setattr("ldap3.core.tls.check_hostname", ask)
    server = server_called("127.0.0.1")
    assert await directory_at(server.port).lookup("guser")
    with pytest.raises(DirectoryUntrusted):
        await directory_at(server.port, host="localhost").lookup("guser")


async def test_without_a_file_the_system_s_authorities_are_believed(slapd: Slapd, directory_at: DirectoryAt) -> None:
    with pytest.raises(DirectoryUntrusted):
        await directory_at(slapd.port, ca_file=None).lookup("guser")


async def test_a_log_in_is_no_less_careful(another: Another, directory_at: DirectoryAt, tmp_path: Path) -> None:
    theirs = Authority(tmp_path / "theirs")
    server = another(certificate=theirs.issue(tmp_path / "tls", "127.0.0.1"))
    with pytest.raises(DirectoryUntrusted):
        await directory_at(server.port).authenticate("guser", "guser-demo")
    assert "BIND" not in server.log


async def test_a_server_that_does_not_speak_tls_is_unreachable(certificate: Path, directory_at: DirectoryAt) -> None:
    server = Impostor(certificate, b"SSH-2.0-OpenSSH_9.6\r\n", tls=False)
    with server, pytest.raises(DirectoryUnreachable):
        await directory_at(server.port, deadline=1.0).lookup("guser")


async def test_the_next_server_is_asked_when_one_is_not_believed(
    slapd: Slapd, another: Another, directory_at: DirectoryAt, tmp_path: Path
) -> None:
    theirs = Authority(tmp_path / "theirs")
    server = another(certificate=theirs.issue(tmp_path / "tls", "127.0.0.1"))
    assert (await directory_at(server.port, slapd.port).lookup("guser")).account.uid == 35712
