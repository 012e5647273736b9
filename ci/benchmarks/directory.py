"""What `ci/bench directory` measures: a directory that hangs, look-ups a second, and connections.

Run it by `ci/bench`, from the top of the checkout.  Everything runs on this machine and in this run, so that the
figures can be compared.  Other work on the machine only makes stalls longer: the quietest round counts, and there are
more rounds while a bound is missed.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import ldap3
from ldap3.utils.conv import escape_filter_chars

from ci.benchmarks.figures import Figure, report
from ci.benchmarks.hub import Hub
from ocfspawner.directory.client import Directory
from ocfspawner.directory.settings import DirectorySettings, Security, ServerAddress
from ocfspawner.errors import DirectoryUnreachable
from tests.directory.authority import Authority
from tests.directory.proxy import Proxy
from tests.directory.slapd import DEMO, PEOPLE, Slapd

WAITING, DEADLINE, ROUNDS, MOST_ROUNDS, USERS = 50, 2.0, 3, 10, 100
HUB_DEADLINE = 6.0
"""Longer, as a Hub takes its time to receive fifty log-ins on a busy machine."""

TICK = 0.002
STARTTLS_ACCEPTED = b"\x30\x0c\x02\x01%c\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
"""An ExtendedResponse of success (RFC 4511, 4.12), to the message numbered %c."""


def main() -> int:
    """Measure, print, and say whether all bounds hold."""
    logging.disable(logging.WARNING)
    return report("Benchmarks of the directory client.", _figures)


def _figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Figure]:
    authority = Authority(folder / "tls")
    certificate = authority.issue(folder / "certificate", "127.0.0.1")
    figures = []
    for security in (Security.NONE, Security.TLS, Security.STARTTLS):
        with _black_hole(security, certificate) as port:
            figures += await _hung(folder, ServerAddress("127.0.0.1", port, security), authority.file)
    people = (DEMO / "directory.ldif").read_text() + "".join(map(_person, range(USERS)))
    with Slapd(folder / "slapd", certificate, files={"directory.ldif": people}) as slapd:
        figures += await _throughput(slapd, authority.file)
        figures += await _connections(slapd, authority.file)
    return figures


def _at_most(name: str, value: float, unit: str, bound: float) -> Figure:
    return Figure(name, value, unit, f"< {bound:g}", value < bound)


# -- a directory that hangs ------------------------------------------------------------------


async def _hung(folder: Path, address: ServerAddress, ca_file: Path) -> list[Figure]:
    """How the loop, the look-ups and a Hub's health page fare while a directory accepts and never answers."""
    kind = {Security.NONE: "TCP", Security.TLS: "LDAPS", Security.STARTTLS: "StartTLS"}[address.security]
    rounds: list[tuple[float, ...]] = []
    url = f"{'ldaps' if address.security is Security.TLS else 'ldap'}://{address}"
    async with Hub(folder / kind, url, ca_file, HUB_DEADLINE, address.security is Security.NONE) as hub:
        while True:
            rounds.append((*await _hung_once(address, ca_file), *await _hub_while_hung(hub)))
            alone, stall, late, ratio, waiting, ending = (min(each) for each in zip(*rounds, strict=True))
            figures = [
                Figure(f"{kind} black hole: longest stall of the loop before", alone * 1000, "ms", "", True),
                _at_most(f"{kind} black hole: longest stall of the loop", stall * 1000, "ms", 20),
                _at_most(f"{kind} black hole: last of {WAITING} look-ups after its deadline", late, "s", 0.5),
                _at_most(f"{kind} black hole: a Hub's health page, median during ÷ before", ratio, "", 1.2),
                Figure(f"{kind} black hole: a Hub's stall, {WAITING} log-ins waiting", waiting * 1000, "ms", "", True),
                Figure(f"{kind} black hole: a Hub's stall, their {WAITING} pages made", ending * 1000, "ms", "", True),
            ]
            if len(rounds) == MOST_ROUNDS or (len(rounds) >= ROUNDS and all(figure.holds for figure in figures)):
                return figures


async def _hung_once(address: ServerAddress, ca_file: Path) -> tuple[float, float, float]:
    # No other timeout than the deadline ends a look-up.
    settings = DirectorySettings(
        servers=(address,), ca_file=ca_file, deadline=DEADLINE, connect_timeout=30, receive_timeout=30
    )
    directory = Directory(settings)
    try:
        stalls = asyncio.ensure_future(_stalls())
        await asyncio.sleep(DEADLINE * 0.7)
        stalls.cancel()
        alone = await stalls
        stalls = asyncio.ensure_future(_stalls())
        begin = time.monotonic()
        ended = await asyncio.gather(*(directory.lookup(f"user{n}") for n in range(WAITING)), return_exceptions=True)
        late = time.monotonic() - begin - DEADLINE
        stalls.cancel()
        if {type(each) for each in ended} != {DirectoryUnreachable}:
            raise RuntimeError(f"a black hole answered: {ended[0]!r}")
        return alone, await stalls, late
    finally:
        directory.close()


async def _hub_while_hung(hub: Hub) -> tuple[float, float, float]:
    """How much longer a Hub's health page takes while people wait for their log-in, by its medians.

    And the longest stalls of its loop, which has its own work with each request: while they wait, and as they end.
    """
    before = await hub.health_page(HUB_DEADLINE / 2)
    waiting = asyncio.ensure_future(hub.log_in(WAITING))
    # All of them are there, and none of them has been refused, while the page is asked for.
    await asyncio.sleep(HUB_DEADLINE / 4)
    await hub.stall()
    during = await hub.health_page(HUB_DEADLINE / 2)
    while_waiting = await hub.stall()
    if waiting.done():
        raise RuntimeError(f"the log-ins ended too soon: {waiting.result()}")
    if set(await waiting) != {503}:
        raise RuntimeError(f"a black hole answered: {waiting.result()}")
    return during / before, while_waiting, await hub.stall()


async def _stalls() -> float:
    """The longest time that the loop was late, until it is cancelled."""
    worst = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            worst = max(worst, time.perf_counter() - before - TICK)
    return worst


@contextlib.contextmanager
def _black_hole(security: Security, certificate: Path) -> Iterator[int]:
    """The port of a server, in a process of its own, that says no more than it must to be asked."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_swallow, args=(security, certificate, theirs), daemon=True)
    process.start()
    yield ours.recv()
    process.terminate()
    process.join()


def _swallow(security: Security, certificate: Path, told: Connection) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if security is Security.STARTTLS:
                question = client.recv(4096)
                client.sendall(STARTTLS_ACCEPTED % question[4] if question else b"")
            with client if security is Security.NONE else context.wrap_socket(client, server_side=True) as connection:
                while connection.recv(4096):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        told.send(listening.getsockname()[1])
        while True:
            threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()


# -- look-ups a second -----------------------------------------------------------------------


async def _throughput(slapd: Slapd, ca_file: Path) -> list[Figure]:
    """Ours and theirs, by turns, against the same server."""
    settings = DirectorySettings((ServerAddress("127.0.0.1", slapd.port),), ca_file, cache_ttl=0, negative_cache_ttl=0)
    directory = Directory(settings)
    await _ours(directory, 1)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(await _ours(directory, 10))
        theirs.append(await _theirs(slapd.port))
    directory.close()
    ratio = statistics.median(ours) / statistics.median(theirs)
    return [
        Figure(f"look-ups/s, {WAITING} at once, ours", statistics.median(ours), "/s", "", True),
        Figure(f"look-ups/s, {WAITING} at once, a new connection each", statistics.median(theirs), "/s", "", True),
        Figure("look-ups/s, ours ÷ theirs", ratio, "", "≥ 15", ratio >= 15),
        _at_most("a look-up from memory", await _from_memory(slapd.port, ca_file) * 1e6, "µs", 100),
    ]


async def _ours(directory: Directory, rounds: int) -> float:
    begin = time.perf_counter()
    for _ in range(rounds):
        await asyncio.gather(*(directory.lookup(f"user{n}") for n in range(WAITING)))
    return rounds * WAITING / (time.perf_counter() - begin)


async def _theirs(port: int) -> float:
    begin = time.perf_counter()
    await asyncio.gather(*(_as_ldapauthenticator_does(port, f"user{n}") for n in range(WAITING)))
    return WAITING / (time.perf_counter() - begin)


async def _as_ldapauthenticator_does(port: int, username: str) -> str:
    """As jupyterhub-ldapauthenticator 2.0.2: a connection for each question, on the loop, its server info read.

    ldapauthenticator.py:524-538 (get_connection: Tls() without arguments, get_info by default) and 435-457
    (resolve_username).  In favour of theirs: a log-in there makes two such connections, and asks for no groups.
    """
    server = ldap3.Server("127.0.0.1", port=port, use_ssl=True, tls=ldap3.Tls())
    connection = ldap3.Connection(server, auto_bind=ldap3.AUTO_BIND_NO_TLS)
    connection.search(
        search_base=PEOPLE,
        search_scope=ldap3.SUBTREE,
        search_filter=f"(uid={escape_filter_chars(username)})",
        attributes=["uid"],
    )
    (entry,) = connection.entries
    connection.unbind()
    return str(entry.uid)


async def _from_memory(port: int, ca_file: Path) -> float:
    directory = Directory(DirectorySettings((ServerAddress("127.0.0.1", port),), ca_file, cache_ttl=3600))
    await directory.lookup("user0")
    begin = time.perf_counter()
    for _ in range(10_000):
        await directory.lookup("user0")
    taken = time.perf_counter() - begin
    directory.close()
    return taken / 10_000


# -- connections -----------------------------------------------------------------------------


async def _connections(slapd: Slapd, ca_file: Path) -> list[Figure]:
    with Proxy(slapd.port) as proxy:
        settings = DirectorySettings((ServerAddress("127.0.0.1", proxy.port),), ca_file, deadline=30)
        directory = Directory(settings)
        await asyncio.gather(*(directory.lookup(f"user{n}") for n in range(USERS)))
        accepted = proxy.accepted
        directory.close()
        await asyncio.sleep(0.2)
    holds = 1 <= accepted <= settings.threads
    return [Figure(f"connections for {USERS} people at once", accepted, "", f"≤ {settings.threads}", holds)]


def _person(number: int) -> str:
    name = f"user{number}"
    return (
        f"\ndn: uid={name},{PEOPLE}\nobjectClass: account\nobjectClass: posixAccount\nuid: {name}\ncn: {name}\n"
        f"uidNumber: {40000 + number}\ngidNumber: 1000\nhomeDirectory: /home/u/us/{name}\nloginShell: /bin/sh\n"
    )


if __name__ == "__main__":
    sys.exit(main())
