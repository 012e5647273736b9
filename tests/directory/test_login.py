"""Log-in as a bind, and whom the client itself asks as."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.web import HTTPError
from traitlets.config import Config

from ocfspawner import DirectoryAuthenticator
from ocfspawner.directory.client import Directory
from ocfspawner.directory.settings import SimpleBind
from ocfspawner.errors import DirectoryUnreachable, EntryMalformed, LoginRefused, NoSuchAccount

from .authority import Authority
from .conftest import DirectoryAt
from .proxy import Proxy
from .slapd import PEOPLE, Entries, Slapd

Another = Callable[..., Slapd]
HUB = "cn=hub,ou=Hosts,dc=OCF,dc=Berkeley,dc=EDU"

PASSWORDS = [
    pytest.param("plain", id="plain"),
    pytest.param("  spaces before and behind  ", id="with spaces"),
    pytest.param(" ", id="a space"),
    pytest.param("pässwörd ключ 密码", id="in many scripts"),
    pytest.param("🔑", id="an emoji"),
    pytest.param("a\u00a0b", id="with a no-break space"),
    pytest.param("ﬁ①ｆ", id="with letters that have a plainer form"),
    pytest.param("\u00ad", id="a soft hyphen"),
    pytest.param("\u05d0a", id="from right to left and back"),
    pytest.param("tab\tand\nline", id="with a tab and a line break"),
    pytest.param("nul\0inside", id="with a NUL"),
    pytest.param("\ue000", id="of private use"),
    pytest.param("*)(uid=*", id="like an injection"),
    pytest.param("x" * 4000, id="long"),
]


@pytest.mark.parametrize("password", PASSWORDS)
async def test_the_right_password_whatever_it_is(directory: Directory, entries: Entries, password: str) -> None:
    entries.person("user", userPassword=password.encode())
    assert (await directory.authenticate("user", password)).username == "user"
    for wrong in (password + "x", password[:-1], password.swapcase() + "y", "guser-demo"):
        with pytest.raises(LoginRefused):
            await directory.authenticate("user", wrong)


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("guser", "gstaff-demo", id="somebody else's"),
        pytest.param("guser", "guser-demo ", id="with a space behind"),
        pytest.param("guser", "guser-demo\0", id="with a NUL behind"),
        pytest.param("guser", "GUSER-DEMO", id="in capitals"),
        pytest.param("guser", "", id="empty"),
        pytest.param("guser", "\0", id="a NUL"),
        pytest.param("guser", "\u00ad", id="a soft hyphen, which text preparation makes empty"),
        pytest.param("guser", "\ud800", id="a lone surrogate"),
        pytest.param("guser", "x" * 100_000, id="very long"),
        pytest.param("ofc", "wrong", id="of a disabled account"),
    ],
)
async def test_a_wrong_password_is_refused(directory: Directory, username: str, password: str) -> None:
    with pytest.raises(LoginRefused):
        await directory.authenticate(username, password)
    assert (await directory.authenticate("guser", "guser-demo")).uid == 35712


async def test_no_password_is_never_a_bind_as_nobody(another: Another, directory_at: DirectoryAt) -> None:
    """Even where the directory would let nobody in under any name (RFC 4513, 5.1.2)."""
    server = another({"sizelimit -1": "sizelimit -1\nallow bind_anon_cred bind_anon_dn"})
    directory = directory_at(server.port)
    for nothing in ("", "\0", "\u00ad", "\u200b"):
        with pytest.raises(LoginRefused):
            await directory.authenticate("guser", nothing)
    assert (await directory.authenticate("guser", "guser-demo")).uid == 35712


@pytest.mark.parametrize("username", ["nobody", "GUSER", "guser ", "ｇuser", "*", "", "guser\0", "x" * 300_000])
async def test_a_name_that_is_nobody_s(directory: Directory, username: str) -> None:
    with pytest.raises(NoSuchAccount):
        await directory.authenticate(username, "guser-demo")


async def test_a_disabled_account_that_knows_its_password_is_found_disabled(directory: Directory) -> None:
    assert (await directory.authenticate("ofc", "ofc-demo")).disabled


@pytest.mark.parametrize("username", ["guser", "nobody"])
async def test_a_name_that_nobody_has_costs_what_a_wrong_password_costs(
    proxy: Proxy, slapd: Slapd, directory_at: DirectoryAt, username: str
) -> None:
    """So the time of an answer does not tell which names there are, nor does a password go under another name."""
    directory = directory_at(proxy.port, threads=1)
    await directory.lookup("guser")
    accepted, logged = proxy.accepted, len(slapd.log)
    with pytest.raises((LoginRefused, NoSuchAccount)):
        await directory.authenticate(username, "wrong")
    assert proxy.accepted == accepted + 1
    said = slapd.log[logged:]
    assert (said.count(" SRCH base="), said.count(" BIND dn="), said.count("RESULT tag=97 err=49")) == (1, 1, 1)


async def test_of_two_entries_with_one_name_nothing_is_said_without_a_password(
    directory: Directory, entries: Entries
) -> None:
    for name in ("One", "Two"):
        base = entries.add(f"ou={name},{PEOPLE}", ["organizationalUnit"])
        entries.person("twice", base, userPassword=f"of {name}")
    with pytest.raises(LoginRefused, match=r"2 entries: uid=twice,ou=One.*uid=twice,ou=Two"):
        await directory.authenticate("twice", "wrong")
    for password in ("of One", "of Two"):
        with pytest.raises(EntryMalformed, match="2 entries"):
            await directory.authenticate("twice", password)


async def test_an_account_without_a_password(directory: Directory, entries: Entries) -> None:
    dn = entries.person("passwordless")
    with pytest.raises(LoginRefused):
        await directory.authenticate("passwordless", "anything")
    entries.change(dn, userPassword="anything")
    assert await directory.authenticate("passwordless", "anything")


# -- the client's own credential -------------------------------------------------------------


@pytest.fixture
def closed(another: Another, tmp_path: Path, directory_at: DirectoryAt) -> Callable[[str], Directory]:
    """A directory that is shown to the Hub alone, asked with a password."""
    server = another(
        {
            "access to *\n\tby * tls_ssf=128 read": f'access to *\n\tby dn.exact="{HUB}" read',
            "access to attrs=mail": f'access to attrs=mail\n\tby dn.exact="{HUB}" none',
        }
    )
    (server.folder / "source/hub.ldif").write_text(
        f"\ndn: {HUB}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
        "cn: hub\nuserPassword: hub-secret\n"
    )
    server.stop()
    server.start()
    file = tmp_path / "password"

    def ask_with(password: str) -> Directory:
        file.write_text(password)
        return directory_at(server.port, credential=SimpleBind(HUB, file), threads=1)

    return ask_with


async def test_the_client_asks_under_its_own_name(closed: Callable[[str], Directory]) -> None:
    assert (await closed("hub-secret\n").lookup("guser")).account.uid == 35712, (
        "a line break at the end does not count"
    )


async def test_a_log_in_does_not_change_whom_the_client_asks_as(closed: Callable[[str], Directory]) -> None:
    directory = closed("hub-secret")
    assert (await directory.authenticate("guser", "guser-demo")).uid == 35712
    with pytest.raises(LoginRefused):
        await directory.authenticate("guser", "wrong")
    assert (await directory.lookup("gstaff")).account.uid == 12903


@pytest.mark.parametrize("password", [pytest.param("wrong", id="wrong"), pytest.param(" \n", id="empty")])
async def test_a_service_password_that_is_not_accepted(closed: Callable[[str], Directory], password: str) -> None:
    with pytest.raises(DirectoryUnreachable, match="is refused with the password in") as refused:
        await closed(password).lookup("guser")
    assert "hub" not in refused.value.user_text
    assert password not in refused.value.admin_text.split(HUB)[1]


async def test_a_changed_service_password_needs_no_restart(closed: Callable[[str], Directory]) -> None:
    directory = closed("wrong")
    with pytest.raises(DirectoryUnreachable):
        await directory.lookup("guser")
    closed("hub-secret")
    assert (await directory.lookup("guser")).account.uid == 35712


async def test_a_service_password_that_cannot_be_read(
    closed: Callable[[str], Directory], slapd: Slapd, directory_at: DirectoryAt, tmp_path: Path
) -> None:
    missing = SimpleBind(HUB, tmp_path / "not there")
    with pytest.raises(DirectoryUnreachable, match="not there"):
        await directory_at(slapd.port, credential=missing, deadline=1.0).lookup("guser")
    assert await closed("hub-secret").lookup("guser")


# -- the authenticator over all of it --------------------------------------------------------


@pytest.fixture
def log_in(slapd: Slapd, authority: Authority) -> Callable[..., Any]:
    """Logs in as the Hub does."""

    def log_in(username: str, password: str, **settings: Any) -> Any:
        config = Config(DirectoryAuthenticator={"allow_all": True, **settings})
        config.LDAPDirectory.urls = [f"ldaps://127.0.0.1:{slapd.port}"]
        config.LDAPDirectory.ca_file = str(authority.file)
        data = {"username": username, "password": password}
        return DirectoryAuthenticator(config=config).get_authenticated_user(None, data)

    return log_in


async def test_the_hub_gets_name_groups_and_administrators(log_in: Callable[..., Any]) -> None:
    found = await log_in("gstaff", "gstaff-demo", admin_groups={"ocfstaff"})
    assert (found["name"], found["groups"], found["admin"]) == ("gstaff", ["ocf", "ocfhpc", "ocfstaff"], True)
    assert not (await log_in("guser", "guser-demo", admin_groups={"ocfstaff"}))["admin"]


async def test_nobody_learns_whether_an_account_exists(log_in: Callable[..., Any]) -> None:
    texts = set()
    for username, password in [("guser", "wrong"), ("nobody", "wrong"), ("GUSER", "guser-demo"), ("guser", "")]:
        with pytest.raises(HTTPError) as refused:
            await log_in(username, password)
        texts.add((refused.value.status_code, str(refused.value.log_message) % refused.value.args))
    assert len(texts) == 1


async def test_a_disabled_account_is_told_so(log_in: Callable[..., Any]) -> None:
    with pytest.raises(HTTPError, match="“ofc” is disabled"):
        await log_in("ofc", "ofc-demo")
