"""The directory is away, hangs, or is somebody else: people are told so, and all is well when it is back."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from .support import cluster
from .support.hub import Api
from .support.people import Person
from .support.refusals import counted, log_in_refused, start_refused
from .support.waiting import wait_for

TEXT = "The user directory can't be reached at the moment"
Outage = Callable[[Path], AbstractContextManager[None]]

DEADLINE = 10
"""Seconds for one question to the directory (LDAPDirectory.deadline); a log-in asks one, a start asks one."""


@contextmanager
def _stopped(_: Path) -> Iterator[None]:
    cluster.kubectl("scale", "deployment/ldap", "--replicas=0")
    cluster.kubectl("wait", "--for=delete", "pod", "--selector=app.kubernetes.io/name=ldap", "--timeout=60s")
    try:
        yield
    finally:
        cluster.kubectl("scale", "deployment/ldap", "--replicas=1")
        _rolled_out()


@contextmanager
def _hanging(_: Path) -> Iterator[None]:
    """The kernel still takes connections for it, and nobody answers."""
    cluster.on_node("pkill", "-STOP", "-x", "slapd")
    try:
        yield
    finally:
        cluster.on_node("pkill", "-CONT", "-x", "slapd")


@contextmanager
def _of_another_authority(folder: Path) -> Iterator[None]:
    """A certificate for the right name, signed by somebody whom the Hub does not trust."""
    right = cluster.get("secret", "ldap-tls")["data"]
    _serve_with(_certificate(folder))
    try:
        yield
    finally:
        _serve_with(right)


@pytest.mark.parametrize(
    ("outage", "reason"),
    [
        pytest.param(_stopped, "directory-unreachable", id="it is stopped"),
        pytest.param(_hanging, "directory-unreachable", id="it hangs"),
        pytest.param(_of_another_authority, "directory-untrusted", id="its certificate is of another authority"),
    ],
)
def test_people_are_told_that_the_directory_is_away_and_work_when_it_is_back(
    outage: Outage, reason: str, api: Api, ggroup: Person, tmp_path: Path
) -> None:
    with outage(tmp_path):
        with counted(api, "login", reason):
            refusal = log_in_refused(api.url, ggroup.name, ggroup.account.password)
        assert refusal.status == 503
        assert TEXT in refusal.text
        assert refusal.seconds < DEADLINE + 3
        with counted(api, "spawn", reason):
            refusal = start_refused(ggroup.browser, ggroup.name)
        assert refusal.status == 503
        assert TEXT in refusal.text
        assert refusal.seconds < DEADLINE + 3
    assert Person.logged_in(api.url, ggroup.account)
    api.started(ggroup.name)
    assert cluster.in_pod(ggroup.name, "id", "--user", "--name").strip() == ggroup.name


def _certificate(folder: Path) -> dict[str, str]:
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-sha384", "-days", "2", "-subj", "/CN=another authority"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-addext", "subjectAltName=DNS:ldap"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return {file.name: base64.b64encode(file.read_bytes()).decode() for file in (certificate, key)}


def _serve_with(data: dict[str, str]) -> None:
    patch = json.dumps({"data": {name: data[name] for name in ("tls.crt", "tls.key")}})
    cluster.kubectl("patch", "secret", "ldap-tls", "--patch-file=/dev/stdin", stdin=patch)
    cluster.kubectl("rollout", "restart", "deployment/ldap")
    _rolled_out()


def _rolled_out() -> None:
    cluster.kubectl("rollout", "status", "deployment/ldap", "--timeout=60s", timeout=70)
    wait_for("the Hub's way to the directory", _reachable, timeout=30)


def _reachable() -> bool:
    """A Service leads to a new pod somewhat later than that is ready."""
    program = "import socket; socket.create_connection(('ldap', 1636), 2); print('reached')"
    command = ("kubectl", "--namespace", cluster.NAMESPACE, "exec", "deployment/hub", "--", "python3", "-c", program)
    return cluster.run(*command, check=False).strip() == "reached"
