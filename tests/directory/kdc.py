"""MIT Kerberos' KDC as a child process, with a realm of its own."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from .slapd import free_port

REALM = "OCF.TEST"
LIFE = 3600
"""Seconds for which tickets are good, unless the test says something else."""

_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_DEADLINE = 30
"""Seconds for the KDC to start or to stop; it takes a tenth."""

_CLIENT = """
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = true
    rdns = true
    udp_preference_limit = 1
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
"""

_SERVER = """
[kdcdefaults]
    kdc_listen = ""
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principals
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        max_life = 1d
        max_renewable_life = 0
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
"""


class Kdc:
    """A realm on 127.0.0.1.  Clients reach it by the configuration of `reached_at`."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("krb5kdc", path=_PATH) or not shutil.which("kadmin.local", path=_PATH):
            pytest.fail("there is no KDC: install the Debian packages krb5-kdc and krb5-admin-server", pytrace=False)
        folder.mkdir(parents=True)
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **os.environ,
            "PATH": _PATH,
            "KRB5_CONFIG": str(self.reached_at(self.port)),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        }
        (folder / "kdc.conf").write_text(_SERVER.format(realm=REALM, port=self.port, folder=folder))
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "of the test alone")
        self._ask(f"modprinc -maxlife {LIFE}sec krbtgt/{REALM}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What the KDC has written: each ticket is a line."""
        return (self._folder / "kdc.log").read_text(errors="replace")

    def reached_at(self, port: int) -> Path:
        """A krb5.conf by which clients ask the KDC at *port* of 127.0.0.1."""
        file = self._folder / f"krb5-{port}.conf"
        file.write_text(_CLIENT.format(realm=REALM, port=port))
        return file

    def keytab(self, *principals: str, file: Path | None = None) -> Path:
        """The keys of *principals*, which are added if they are new, in a keytab or besides what *file* has."""
        file = file or self._folder / f"{time.monotonic_ns()}.keytab"
        known = self._ask("listprincs")
        for principal in principals:
            if f"{principal}@{REALM}" not in known:
                self._ask(f"addprinc -randkey +requires_preauth {principal}")
            self._ask(f"ktadd -norandkey -k {file} {principal}")
        return file

    def change_key(self, principal: str) -> None:
        """Give *principal* a new key; keytabs have the old one."""
        self._ask(f"cpw -randkey {principal}")

    def let_tickets_live(self, seconds: int, *principals: str) -> None:
        """How long tickets of and for *principals* are good."""
        for principal in principals:
            self._ask(f"modprinc -maxlife {seconds}sec {principal}")

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                ["krb5kdc", "-n", "-r", REALM], env=self._environment, stdout=output, stderr=output
            )
        until = time.monotonic() + _DEADLINE
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                pytest.fail(f"the KDC did not start:\n{(self._folder / 'output').read_text()}", pytrace=False)
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop, and wait until it is gone."""
        if self._process:
            self._process.terminate()
            self._process.wait(_DEADLINE)
            self._process = None

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _ask(self, query: str) -> str:
        return self._run("kadmin.local", "-r", REALM, "-q", query)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=_DEADLINE)
        assert done.returncode == 0, done.stderr
        return done.stdout
