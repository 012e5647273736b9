"""How connections are protected: StartTLS, no protection where that is said, and certificates of the client."""

from collections.abc import Callable
from pathlib import Path

import pytest
from traitlets.config import Config

from ocfspawner.directory.config import LDAPDirectory
from ocfspawner.directory.settings import CertificateBind, Security, SimpleBind
from ocfspawner.errors import ConfigurationError, DirectoryFailed, DirectoryUnreachable, DirectoryUntrusted

from .authority import Authority
from .conftest import DirectoryAt
from .impostor import UNAVAILABLE, Impostor, Speaker
from .proxy import Proxy
from .slapd import Slapd

Another = Callable[..., Slapd]
HUB = "cn=hub,ou=Hosts,dc=OCF,dc=Berkeley,dc=EDU"
OPEN = "access to *\n\tby * tls_ssf=128 read"


@pytest.fixture
def password(tmp_path: Path) -> SimpleBind:
    """A credential that nobody but the directory may see."""
    file = tmp_path / "password"
    file.write_text("hub-secret")
    return SimpleBind(HUB, file)


async def test_starttls(another: Another, directory_at: DirectoryAt) -> None:
    """The demo's slapd lets nobody read without TLS, so an answer shows that there was some."""
    server = another(scheme="ldap")
    directory = directory_at(server.port, security=Security.STARTTLS)
    assert (await directory.lookup("guser")).account.uid == 35712
    assert (await directory.authenticate("guser", "guser-demo")).uid == 35712
    assert "STARTTLS" in server.log


async def test_starttls_survives_a_restart_and_a_dropped_connection(
    another: Another, directory_at: DirectoryAt
) -> None:
    server = another(scheme="ldap")
    with Proxy(server.port) as proxy:
        directory = directory_at(proxy.port, security=Security.STARTTLS, threads=1)
        assert await directory.lookup("guser")
        proxy.drop()
        assert await directory.lookup("guser")
        server.stop()
        server.start()
        assert await directory.lookup("guser")


async def test_starttls_verifies_the_server(
    another: Another, directory_at: DirectoryAt, tmp_path: Path, password: SimpleBind
) -> None:
    theirs = Authority(tmp_path / "theirs")
    server = another(certificate=theirs.issue(tmp_path / "tls", "127.0.0.1"), scheme="ldap")
    with pytest.raises(DirectoryUntrusted, match="CERTIFICATE_VERIFY_FAILED"):
        await directory_at(server.port, security=Security.STARTTLS, credential=password).lookup("guser")
    assert "BIND" not in server.log


@pytest.mark.parametrize("code", [pytest.param(2, id="protocolError"), pytest.param(UNAVAILABLE, id="unavailable")])
async def test_where_the_offer_of_starttls_is_taken_away_nothing_is_said(
    certificate: Path, directory_at: DirectoryAt, password: SimpleBind, code: int
) -> None:
    with Speaker(certificate, {"starttls": code}, tls=False) as server:
        directory = directory_at(server.port, security=Security.STARTTLS, credential=password)
        with pytest.raises(DirectoryUntrusted, match="no StartTLS"):
            await directory.lookup("guser")
        with pytest.raises(DirectoryUntrusted, match="no StartTLS"):
            await directory.authenticate("guser", "guser-secret")
        assert set(server.asked) == {"starttls"}
        assert b"secret" not in server.heard


async def test_a_yes_to_starttls_without_tls_is_no_protection(
    certificate: Path, directory_at: DirectoryAt, password: SimpleBind
) -> None:
    """It goes on speaking LDAP in clear, and hears a handshake."""
    with Speaker(certificate, tls=False) as server:
        directory = directory_at(
            server.port, security=Security.STARTTLS, credential=password, deadline=1.5, receive_timeout=1
        )
        with pytest.raises(DirectoryUnreachable):
            await directory.lookup("guser")
        assert set(server.asked) == {"starttls"}
        assert b"secret" not in server.heard


@pytest.mark.parametrize(
    "answer",
    [pytest.param(b"", id="nothing"), pytest.param(b"\0" * 64, id="zeros"), pytest.param(b"\x30\x00", id="empty")],
)
async def test_what_is_not_ldap_at_starttls_is_an_outage(
    certificate: Path, directory_at: DirectoryAt, answer: bytes
) -> None:
    with Impostor(certificate, answer, tls=False) as server:
        directory = directory_at(server.port, security=Security.STARTTLS, deadline=1.5, receive_timeout=1)
        with pytest.raises(DirectoryUnreachable) as refused:
            await directory.lookup("guser")
    assert not isinstance(refused.value, DirectoryUntrusted)


# -- none ------------------------------------------------------------------------------------


async def test_no_protection_where_the_setting_says_so(another: Another, directory_at: DirectoryAt) -> None:
    server = another({"tls_ssf=128 ": ""}, scheme="ldap")
    directory = directory_at(server.port, security=Security.NONE)
    assert (await directory.lookup("guser")).account.uid == 35712
    assert (await directory.authenticate("guser", "guser-demo")).uid == 35712
    assert "STARTTLS" not in server.log


async def test_a_server_without_tls_is_not_spoken_to_without_that_setting(
    another: Another, authority: Authority, directory_at: DirectoryAt
) -> None:
    without = {"tls_ssf=128 ": "", "TLSCertificateFile tls/tls.crt": "", "TLSCertificateKeyFile tls/tls.key": ""}
    server = another(without, scheme="ldap")
    url = f"ldap://127.0.0.1:{server.port}"
    for clear_text in (False, True):
        configured = LDAPDirectory(urls=[url], send_passwords_over_the_network_in_clear_text=clear_text)
        (address,) = configured.settings().servers
        directory = directory_at(address.port, security=address.security)
        if clear_text:
            assert await directory.lookup("guser")
        else:
            with pytest.raises(DirectoryUntrusted, match="no StartTLS"):
                await directory.lookup("guser")
            assert "SRCH" not in server.log


# -- the client's certificate ----------------------------------------------------------------


@pytest.fixture
def for_holders_of_certificates(another: Another, authority: Authority) -> Slapd:
    """A server that speaks to nobody without a certificate, and shows itself to the one of HUB alone."""
    return another(
        {
            "TLSProtocolMin 3.3": f"TLSCACertificateFile {authority.file}\nTLSVerifyClient demand\n"
            f'TLSProtocolMin 3.3\nauthz-regexp "cn=directory" "{HUB}"',
            OPEN: f'access to *\n\tby dn.exact="{HUB}" read',
        }
    )


async def test_a_certificate_of_ours_is_who_we_are(
    for_holders_of_certificates: Slapd, directory_at: DirectoryAt, authority: Authority, tmp_path: Path
) -> None:
    ours = authority.issue(tmp_path / "hub", "hub.example")
    credential = CertificateBind(ours / "tls.crt", ours / "tls.key")
    directory = directory_at(for_holders_of_certificates.port, credential=credential)
    assert (await directory.lookup("guser")).account.uid == 35712
    assert "mech=EXTERNAL" in for_holders_of_certificates.log


async def test_another_authority_s_certificate_is_nobody_s(
    for_holders_of_certificates: Slapd, directory_at: DirectoryAt, tmp_path: Path
) -> None:
    theirs = Authority(tmp_path / "theirs").issue(tmp_path / "hub", "hub.example")
    credential = CertificateBind(theirs / "tls.crt", theirs / "tls.key")
    directory = directory_at(for_holders_of_certificates.port, credential=credential, deadline=1.0)
    with pytest.raises(DirectoryUnreachable):
        await directory.lookup("guser")


async def test_a_server_that_takes_no_certificate(slapd: Slapd, directory_at: DirectoryAt, certificate: Path) -> None:
    """It asks for none, so nobody is there for the bind; that is no reason to ask as nobody."""
    credential = CertificateBind(certificate / "tls.crt", certificate / "tls.key")
    directory = directory_at(slapd.port, credential=credential, deadline=1.0)
    with pytest.raises((DirectoryUnreachable, DirectoryFailed), match="bind by certificate"):
        await directory.lookup("guser")


async def test_a_certificate_that_cannot_be_read(slapd: Slapd, directory_at: DirectoryAt, tmp_path: Path) -> None:
    credential = CertificateBind(tmp_path / "none.crt", tmp_path / "none.key")
    with pytest.raises(DirectoryUnreachable, match="No such file"):
        await directory_at(slapd.port, credential=credential, deadline=1.0).lookup("guser")


def test_settings_that_would_send_a_certificate_without_tls() -> None:
    files = {"client_certificate_file": "/a", "client_key_file": "/b"}
    config = Config(LDAPDirectory={"urls": ["ldap://ldap.example"], **files})
    LDAPDirectory(config=config).settings()
    config.LDAPDirectory.send_passwords_over_the_network_in_clear_text = True
    with pytest.raises(ConfigurationError, match="needs TLS"):
        LDAPDirectory(config=config).settings()
