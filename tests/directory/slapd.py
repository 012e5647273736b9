"""OpenLDAP's slapd as a child process, with the demo's schema and entries."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import ldap3
import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "deploy/overlays/demo/ldap"
SERVE = ROOT / "images/ldap/serve"

PEOPLE = "ou=People,dc=OCF,dc=Berkeley,dc=EDU"
GROUPS = "ou=Group,dc=OCF,dc=Berkeley,dc=EDU"

_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_DEADLINE = 30
"""Seconds for slapd to start or to stop; it takes a tenth."""

_MANAGE_REFERRALS = [("2.16.840.1.113730.3.4.2", True, None)]
"""The control ManageDsaIT (RFC 3296): referrals are entries like others."""


class Slapd:
    """A server on 127.0.0.1; its entries are made anew at each start.

    *configuration* replaces parts of the demo's slapd.conf, *files* lie beside it, in place of the demo's or
    besides them.
    """

    def __init__(
        self,
        folder: Path,
        certificate: Path,
        configuration: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        *,
        scheme: str = "ldaps",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if not shutil.which("slapd", path=_PATH):
            pytest.fail("there is no slapd: install the Debian package slapd (no service has to run)", pytrace=False)
        self.port = free_port()
        self.folder = folder
        self._certificate = certificate
        self._scheme = scheme
        self._environment = {**os.environ, "PATH": _PATH, **(environment or {})}
        self._source = shutil.copytree(DEMO, folder / "source")
        self._process: subprocess.Popen[bytes] | None = None
        settings = self._source / "slapd.conf"
        text = settings.read_text()
        for old, new in (configuration or {}).items():
            assert old in text, f"the demo's slapd.conf has no {old!r}"
            text = text.replace(old, new)
        settings.write_text(text)
        for name, content in (files or {}).items():
            (self._source / name).write_text(content)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What slapd has written."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start, and wait until it answers."""
        work = self.folder / "work"
        command = [SERVE, self._source, self._certificate, work, f"{self._scheme}://127.0.0.1:{self.port}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", *map(str, command)], stdout=log, stderr=log, env=self._environment
            )
        until = time.monotonic() + _DEADLINE
        while not _accepts(self.port):
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                pytest.fail(f"slapd did not start:\n{self.log}", pytrace=False)
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop, and wait until it is gone."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(_DEADLINE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def entries(self) -> Iterator["Entries"]:
        """Add entries, by the socket in the server's folder; they are removed at the end."""
        server = ldap3.Server(f"ldapi://{quote(str(self.folder / 'work/ldapi'), safe='')}", get_info=ldap3.NONE)
        connection = ldap3.Connection(
            server,
            authentication=ldap3.SASL,
            sasl_mechanism=ldap3.EXTERNAL,
            sasl_credentials="",
            auto_bind=True,
            check_names=False,
        )
        entries = Entries(connection)
        try:
            yield entries
        finally:
            entries.remove()
            connection.unbind()


class Entries:
    """Entries that one test adds."""

    def __init__(self, connection: ldap3.Connection) -> None:
        self._connection = connection
        self._added: list[str] = []

    def add(self, dn: str, classes: list[str], **attributes: Any) -> str:
        """Add the entry *dn*, which is returned."""
        self._connection.add(dn, classes, attributes)
        assert self._connection.result["result"] == 0, self._connection.result
        self._added.append(dn)
        return dn

    def person(self, username: str, base: str = PEOPLE, **changes: Any) -> str:
        """Add an account like guser's, with *changes*; an attribute that is ``None`` is left out."""
        attributes = {
            "uid": username,
            "cn": username,
            "uidNumber": 50000,
            "gidNumber": 1000,
            "homeDirectory": f"/home/x/xx/{username}",
            "loginShell": "/bin/bash",
            **changes,
        }
        given = {name: value for name, value in attributes.items() if value is not None}
        return self.add(f"uid={username},{base}", ["account", "posixAccount"], **given)

    def group(self, name: str, gid: int, *members: str) -> str:
        """Add a group."""
        given: dict[str, Any] = {"memberUid": list(members)} if members else {}
        return self.add(f"cn={name},{GROUPS}", ["posixGroup"], gidNumber=gid, **given)

    def change(self, dn: str, **attributes: Any) -> None:
        """Replace attributes of an entry."""
        self._connection.modify(dn, {name: [(ldap3.MODIFY_REPLACE, [value])] for name, value in attributes.items()})
        assert self._connection.result["result"] == 0, self._connection.result

    def remove(self) -> None:
        """Remove all of them, the last one first."""
        while self._added:
            self._connection.delete(self._added.pop(), controls=_MANAGE_REFERRALS)
            assert self._connection.result["result"] == 0, self._connection.result


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
