"""Asking by Kerberos: a real KDC, and a slapd that shows itself to nobody but the Hub."""

import asyncio
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocfspawner.directory import connection
from ocfspawner.directory.client import Directory
from ocfspawner.directory.settings import KeytabBind, Security
from ocfspawner.errors import DirectoryFailed, DirectoryUnreachable

from .authority import Authority
from .conftest import DirectoryAt
from .impostor import Speaker
from .kdc import REALM, Kdc
from .proxy import Proxy
from .slapd import Slapd

SLACK = 1.5
"""Seconds that a busy machine may be late; Kerberos itself would take many times the deadline."""

TakenBy = Callable[..., Slapd]
HUB = "cn=hub,ou=Hosts,dc=OCF,dc=Berkeley,dc=EDU"
OPEN = "access to *\n\tby * tls_ssf=128 read"
SASL = (
    "TLSProtocolMin 3.3\nsasl-host localhost\nsasl-cbinding tls-endpoint\n{more}"
    'authz-regexp "uid=hub(/[a-z]+)?,cn=gssapi,cn=auth" "{hub}"'
)


@dataclass
class Realm:
    """A KDC, a slapd that takes its tickets, the Hub's keytab and the slapd's."""

    kdc: Kdc
    slapd: Slapd
    keytab: Path
    service_keytab: Path


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Realm]:
    """Of all tests here; both servers always run."""
    folder = tmp_path_factory.mktemp("realm")
    with Kdc(folder / "kdc") as kdc:
        keytab = kdc.keytab("ldap/localhost")
        environment = {"KRB5_CONFIG": str(kdc.reached_at(kdc.port)), "KRB5_KTNAME": str(keytab)}
        certificate = authority.issue(folder / "tls", "localhost")
        configuration = only_for_the_hub()
        with Slapd(folder / "slapd", certificate, configuration, environment=environment) as slapd:
            yield Realm(kdc, slapd, kdc.keytab("hub"), keytab)


def only_for_the_hub(more: str = "") -> dict[str, str]:
    """Changes to the demo's slapd.conf: it takes tickets, and shows itself to the principal ``hub`` alone."""
    return {
        "TLSProtocolMin 3.3": SASL.format(hub=HUB, more=more),
        OPEN: f'access to *\n\tby dn.exact="{HUB}" read',
    }


@pytest.fixture
def tickets_taken_by(another: Callable[..., Slapd], realm: Realm, authority: Authority, tmp_path: Path) -> TakenBy:
    """Starts another server that takes tickets for localhost."""

    def start(more: str = "", scheme: str = "ldaps", keytab: Path = realm.service_keytab) -> Slapd:
        certificate = authority.issue(tmp_path / "tls-localhost", "localhost")
        environment = {"KRB5_CONFIG": str(realm.kdc.reached_at(realm.kdc.port)), "KRB5_KTNAME": str(keytab)}
        return another(only_for_the_hub(more), certificate, scheme=scheme, environment=environment)

    return start


@pytest.fixture
def kdc(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What stands between the clients and the KDC."""
    with Proxy(realm.kdc.port) as proxy:
        monkeypatch.setenv("KRB5_CONFIG", str(realm.kdc.reached_at(proxy.port)))
        yield proxy


@pytest.fixture
def asking(realm: Realm, kdc: Proxy, directory_at: DirectoryAt) -> Callable[..., Directory]:
    """Makes directories that ask with a keytab, the Hub's if no other is given."""

    def make(
        keytab: Path = realm.keytab, principal: str = "", port: int = realm.slapd.port, **settings: object
    ) -> Directory:
        credential = KeytabBind(keytab, principal)
        return directory_at(port, host="localhost", credential=credential, **settings)

    return make


def helpers() -> list[str]:
    """Processes of ours that do the Kerberos part of a bind."""
    children = (Path(f"/proc/self/task/{task.name}/children") for task in Path("/proc/self/task").iterdir())
    pids = [pid for file in children for pid in file.read_text().split()]
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in pids}
    return [pid for pid, command in commands.items() if "kerberos_process" in command]


async def test_a_keytab_is_enough(asking: Callable[..., Directory], realm: Realm) -> None:
    directory = asking()
    assert (await directory.lookup("guser")).account.uid == 35712
    assert "mech=GSSAPI" in realm.slapd.log
    assert (await directory.authenticate("guser", "guser-demo")).uid == 35712
    assert (await directory.lookup("gstaff")).account.uid == 12903
    assert not helpers(), "they live for one bind"


async def test_nobody_else_is_shown_anything(asking: Callable[..., Directory], realm: Realm) -> None:
    """What the other tests rest on."""
    with pytest.raises(DirectoryFailed, match="noSuchObject"):
        await asking(realm.kdc.keytab("stranger")).lookup("guser")


async def test_a_principal_of_a_keytab_with_several(asking: Callable[..., Directory], realm: Realm) -> None:
    keytab = realm.kdc.keytab("another", "hub/two")
    with pytest.raises(DirectoryFailed):
        await asking(keytab).lookup("guser")
    with pytest.raises(DirectoryFailed):
        await asking(keytab, f"another@{REALM}").lookup("guser")
    assert await asking(keytab, "hub/two").lookup("guser")


async def test_starttls(asking: Callable[..., Directory], realm: Realm, tickets_taken_by: TakenBy) -> None:
    server = tickets_taken_by(scheme="ldap")
    assert await asking(port=server.port, security=Security.STARTTLS).lookup("guser")


async def test_a_server_that_leaves_protection_to_tls(
    asking: Callable[..., Directory], tickets_taken_by: TakenBy
) -> None:
    """It offers no layer of its own, with which ldap3 2.9.1 can't deal (kerberos.py:183)."""
    server = tickets_taken_by("sasl-secprops noanonymous,noplain,maxssf=0\n")
    assert await asking(port=server.port).lookup("guser")


# -- who is refused --------------------------------------------------------------------------


async def test_a_keytab_whose_key_was_changed_is_refused_once_and_may_be_replaced(
    asking: Callable[..., Directory], realm: Realm, kdc: Proxy, tmp_path: Path
) -> None:
    keytab = tmp_path / "keytab"
    shutil.copy(realm.kdc.keytab("hub/changed"), keytab)
    realm.kdc.change_key("hub/changed")
    directory = asking(keytab, threads=1)
    begin = time.monotonic()
    with pytest.raises(DirectoryUnreachable, match="Kerberos: Preauthentication failed") as refused:
        await directory.lookup("guser")
    assert time.monotonic() - begin < 5, "tried again and again, it would lock the account"
    assert "Kerberos" not in refused.value.user_text
    shutil.copy(realm.kdc.keytab("hub/changed"), keytab)
    assert await directory.lookup("guser")


KEYTABS = [
    pytest.param("nobody", None, "No key table entry found for nobody@", id="no key of that name"),
    pytest.param("", b"no keytab", "is nonexistent or empty", id="no keytab"),
    pytest.param("", b"", "is nonexistent or empty", id="nothing"),
]


@pytest.mark.parametrize(("principal", "content", "said"), KEYTABS)
async def test_a_keytab_that_does_not_help(  # noqa: PLR0917 - pytest names them
    asking: Callable[..., Directory], realm: Realm, tmp_path: Path, principal: str, content: bytes | None, said: str
) -> None:
    keytab = tmp_path / "keytab"
    keytab.write_bytes(realm.keytab.read_bytes() if content is None else content)
    with pytest.raises(DirectoryUnreachable, match=said):
        await asking(keytab, principal).lookup("guser")
    keytab.write_bytes(realm.keytab.read_bytes())
    assert await asking(keytab).lookup("guser")


async def test_a_keytab_that_is_gone(asking: Callable[..., Directory], tmp_path: Path) -> None:
    with pytest.raises(DirectoryUnreachable, match="not there"):
        await asking(tmp_path / "not there").lookup("guser")


async def test_a_server_that_the_kdc_does_not_know(
    kdc: Proxy, slapd: Slapd, directory_at: DirectoryAt, realm: Realm
) -> None:
    """No name but that of the URL counts: none from DNS, which anybody could forge."""
    with pytest.raises(DirectoryUnreachable, match=r"Server ldap/127\.0\.0\.1@.* not found"):
        await directory_at(slapd.port, credential=KeytabBind(realm.keytab)).lookup("guser")


async def test_a_server_without_the_key_of_its_name(
    asking: Callable[..., Directory], tickets_taken_by: TakenBy, realm: Realm, tmp_path: Path
) -> None:
    """Which so can't show who it is."""
    server = tickets_taken_by(keytab=tmp_path / "none")
    with pytest.raises(DirectoryUnreachable, match=r"Kerberos: the server does not take the ticket|bind by ticket"):
        await asking(port=server.port, deadline=2.0).lookup("guser")


async def test_a_server_that_says_yes_before_it_has_shown_who_it_is(
    asking: Callable[..., Directory], authority: Authority, tmp_path: Path
) -> None:
    with Speaker(authority.issue(tmp_path / "tls", "localhost")) as server:
        with pytest.raises(DirectoryUnreachable, match="did not show who it is"):
            await asking(port=server.port).lookup("guser")
        assert set(server.asked) == {"bind"}


async def test_a_bind_counts_on_its_own_tls_connection_alone(
    asking: Callable[..., Directory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody in between, whose certificate we would trust, can't hand it on."""
    with monkeypatch.context() as patched:
        patched.setattr(connection, "channel_bindings", lambda _: b"tls-server-end-point:" + bytes(32))
        with pytest.raises(DirectoryUnreachable, match="does not take the ticket"):
            await asking().lookup("guser")
    assert await asking().lookup("guser")


# -- tickets ---------------------------------------------------------------------------------


async def test_a_ticket_is_used_again_so_that_a_kdc_that_is_away_is_not_noticed(
    asking: Callable[..., Directory], realm: Realm, kdc: Proxy
) -> None:
    with Proxy(realm.slapd.port) as proxy:
        directory = asking(port=proxy.port, threads=1)
        assert await directory.lookup("guser")
        asked = kdc.accepted
        kdc.refusing = True
        for _ in range(2):
            proxy.drop()
            assert await directory.lookup("guser")
        assert (kdc.accepted, proxy.accepted) == (asked, 3)


async def test_a_ticket_that_has_expired_is_renewed_by_itself(
    asking: Callable[..., Directory], realm: Realm, kdc: Proxy
) -> None:
    keytab = realm.kdc.keytab("hub/short")
    realm.kdc.let_tickets_live(2, "hub/short")
    with Proxy(realm.slapd.port) as proxy:
        directory = asking(keytab, port=proxy.port, threads=1)
        assert await directory.lookup("guser")
        asked = kdc.accepted
        await asyncio.sleep(3)
        assert await directory.lookup("guser"), "who is connected stays so"
        assert kdc.accepted == asked
        proxy.drop()
        assert await directory.lookup("guser")
        assert kdc.accepted > asked


async def test_a_server_with_a_new_key_is_asked_with_a_new_ticket(
    asking: Callable[..., Directory], realm: Realm, tickets_taken_by: TakenBy, tmp_path: Path
) -> None:
    keytab = tmp_path / "service"
    shutil.copy(realm.service_keytab, keytab)
    server = tickets_taken_by(keytab=keytab)
    directory = asking(port=server.port, threads=1)
    assert await directory.lookup("guser")
    server.stop()
    realm.kdc.change_key("ldap/localhost")
    shutil.copy(realm.kdc.keytab("ldap/localhost"), keytab)
    # The other server goes on with the old key, and has the new one too.
    realm.kdc.keytab("ldap/localhost", file=realm.service_keytab)
    server.start()
    assert await directory.lookup("guser")


# -- a KDC that is away ----------------------------------------------------------------------


async def test_a_kdc_that_is_away_is_told_of_and_asked_until_the_deadline(
    asking: Callable[..., Directory], kdc: Proxy
) -> None:
    kdc.refusing = True
    with pytest.raises(DirectoryUnreachable, match="Kerberos: Cannot contact any KDC"):
        await asking(deadline=2.5).lookup("guser")
    asked = asyncio.ensure_future(asking().lookup("guser"))
    await asyncio.sleep(1)
    kdc.refusing = False
    assert await asked


async def test_a_kdc_that_never_answers_holds_up_nobody_beyond_the_deadline(
    asking: Callable[..., Directory], kdc: Proxy
) -> None:
    kdc.stalled = True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as never_read:
        # Kerberos turns to UDP when TCP does not help.
        never_read.bind(("127.0.0.1", kdc.port))
        directory = asking(threads=4, deadline=5.0, receive_timeout=30)
        begin = time.monotonic()
        ended = await asyncio.gather(*(directory.lookup(f"user{n}") for n in range(50)), return_exceptions=True)
        assert time.monotonic() - begin < 5.0 + SLACK
        assert {type(error) for error in ended} == {DirectoryUnreachable}
    kdc.stalled = False
    # The threads are free at once, and nothing of the old questions is left.
    assert await directory.lookup("guser")
    assert not helpers()


async def test_a_kdc_that_never_answers_is_given_up_before_the_deadline(
    asking: Callable[..., Directory], kdc: Proxy
) -> None:
    kdc.stalled = True
    directory = asking(threads=1, receive_timeout=1, deadline=4.0)
    with pytest.raises(DirectoryUnreachable, match="Kerberos: no answer in time"):
        await directory.lookup("guser")
