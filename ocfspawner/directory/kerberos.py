"""SASL GSSAPI (RFC 4752) by the ticket of a keytab, without Kerberos in the Hub's own process.

ldap3's own way (2.9.1, kerberos.py) blocks where nothing can end it, needs somebody else to keep a ticket fresh,
and fails with a server that offers no layer of protection, as one that leaves it to TLS.
"""

import json
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from ocfspawner.directory.settings import KeytabBind

_PROCESS = Path(__file__).with_name("kerberos_process.py")


class KerberosFailed(Exception):
    """There is no ticket, or the server does not take it."""

    def __init__(self, detail: str, passing: bool) -> None:
        super().__init__(f"Kerberos: {detail}")
        self.passing = passing
        """Whether it may be gone at the next try."""


class Tickets:
    """The ticket that was used last, for the next connection: so a KDC that is away is not noticed while it is good.

    Shared between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[tuple[KeytabBind, str], str] = {}

    def get(self, credential: KeytabBind, host: str) -> str:
        """The ticket for *host*, as `Negotiation` takes it; empty when there is none."""
        with self._lock:
            return self._tickets.get((credential, host), "")

    def put(self, credential: KeytabBind, host: str, ticket: str) -> None:
        """Keep *ticket*, or with an empty one forget what there was."""
        with self._lock:
            self._tickets[credential, host] = ticket


class Negotiation:
    """The client's side of one bind.  `kill` may be called from another thread at any moment, and never blocks."""

    def __init__(self, credential: KeytabBind, host: str, bindings: bytes, ticket: str, seconds: float) -> None:
        """To the directory on *host*; *seconds* are for Kerberos alone, at each step."""
        self.ticket = ""
        """What the next bind may use again, when this one is through."""

        self._opening = {
            "host": host,
            "keytab": str(credential.keytab_file),
            "principal": credential.principal,
            "bindings": b64encode(bindings).decode(),
            "ticket": ticket,
            "seconds": seconds,
        }
        self._process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
            # Isolated: it must not import what lies in the working directory.
            [sys.executable, "-I", str(_PROCESS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        with suppress(OSError):
            # Closes its pipes, and waits for it.
            self._process.communicate()

    def kill(self) -> None:
        """End it, wherever it waits."""
        self._process.kill()

    @property
    def finished(self) -> bool:
        """Whether the server has shown who it is, and nothing is left to be said."""
        return bool(self.ticket)

    def begin(self) -> bytes:
        """What to send to the server first.  Raises `KerberosFailed`."""
        return self._asked(self._opening)

    def go_on(self, answer: bytes) -> bytes:
        """What to send after the server's *answer*.  Raises `KerberosFailed`."""
        return self._asked({"token": b64encode(answer).decode()})

    def _asked(self, question: Mapping[str, object]) -> bytes:
        said = self._line(json.dumps(question).encode() + b"\n")
        if not said:
            raise KerberosFailed("no answer in time", passing=True)
        heard = json.loads(said)
        if "error" in heard:
            raise KerberosFailed(heard["error"], heard["passing"])
        self.ticket = heard.get("ticket", "")
        return b64decode(heard["token"])

    def _line(self, question: bytes) -> bytes:
        """Its answer; nothing when it has ended."""
        to_it, from_it = cast("tuple[IO[bytes], IO[bytes]]", (self._process.stdin, self._process.stdout))
        with suppress(OSError):
            to_it.write(question)
            to_it.flush()
            return from_it.readline()
        return b""


def is_installed() -> bool:
    """Whether the Python package gssapi is there."""
    return find_spec("gssapi") is not None
