"""Homes on a real NFS server: who may do what, with root_squash and without, and what an outage does."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from .conftest import Newcomers
from .support import cluster
from .support.hub import Api
from .support.outsider import ROOT, STRANGER, Outsider, outsider
from .support.people import Person
from .support.refusals import counted, start_refused
from .support.waiting import wait_for

GUSER_UID = 35712
NOBODY = "65534:65534"

OUTAGE = 8
"""Seconds that the file server is away."""


@pytest.fixture(scope="module")
def intruder() -> Iterator[Outsider]:
    with outsider(STRANGER, GUSER_UID, ROOT) as pod:
        yield pod


@pytest.fixture
def without_root_squash() -> Iterator[None]:
    """The same server, whose export trusts root on the clients."""
    _squash("root_squash", "no_root_squash")
    yield
    _squash("no_root_squash", "root_squash")


def _squash(old: str, new: str) -> None:
    cluster.on_files("sed", "-i", f"s/Squash = {old};/Squash = {new};/", "/etc/ganesha/ganesha.conf")
    assert f"Squash = {new};" in cluster.on_files("cat", "/etc/ganesha/ganesha.conf")
    before = _rereads()
    cluster.on_files("pkill", "-HUP", "-x", "ganesha.nfsd")
    wait_for("the file server to read its settings again", lambda: _rereads() > before, timeout=30)


def _rereads() -> int:
    done = subprocess.run(["docker", "logs", cluster.FILES], capture_output=True, text=True, timeout=60, check=True)
    return (done.stdout + done.stderr).count("Reread exports complete")


def test_a_server_mounts_its_home_from_the_file_server_and_owns_what_it_writes(guser: Person) -> None:
    mounted = cluster.in_pod(guser.name, "grep", f" {guser.account.home} ", "/proc/mounts").split()
    assert mounted[0].startswith(f"{cluster.FILES}:{cluster.HOMES}")
    assert "nfs" in mounted[2]
    path = f"{guser.account.home}/written"
    try:
        guser.server().python(f"open({path!r}, 'w').write('by guser')")
        assert cluster.on_files("cat", cluster.stored(path)) == "by guser"
        assert cluster.owner(cluster.stored(path)) == "35712:1000"
    finally:
        cluster.on_files("rm", "-f", cluster.stored(path))


def test_who_mounts_all_homes_gets_into_none_but_the_own(intruder: Outsider, guser: Person) -> None:
    """It is the file server that refuses: the pod around it could do what it likes."""
    status, said = intruder.run(STRANGER, "ls /homes/g/gu/guser")
    assert status != 0
    assert "Permission denied" in said
    status, said = intruder.run(STRANGER, "echo x >/homes/g/gu/guser/intruded")
    assert status != 0
    assert "Permission denied" in said
    assert intruder.run(GUSER_UID, "ls /homes/g/gu/guser") == (0, "notebooks\n")


def test_root_in_a_pod_is_nobody_on_the_file_server(intruder: Outsider, guser: Person) -> None:
    status, said = intruder.run(ROOT, "ls /homes/g/gu/guser")
    assert status != 0
    assert "Permission denied" in said
    status, said = intruder.run(ROOT, "mkdir /homes/r")
    assert status != 0
    assert "Permission denied" in said
    open_to_all = f"{cluster.HOMES}/open"
    cluster.on_files("install", "-d", "-m", "1777", open_to_all)
    try:
        assert intruder.run(ROOT, "echo x >/homes/open/made") == (0, "")
        assert cluster.owner(f"{open_to_all}/made") == NOBODY
    finally:
        cluster.on_files("rm", "-rf", open_to_all)


def test_without_root_squash_root_does_as_it_likes_and_no_server_is_root(
    without_root_squash: None, intruder: Outsider, guser: Person
) -> None:
    assert intruder.run(ROOT, "ls /homes/g/gu/guser") == (0, "notebooks\n"), "this is what root_squash is for"
    code = """
import os
for attempt in (lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.chown(os.path.expanduser('~'), 0, 0)):
    try:
        attempt()
        print('done')
    except PermissionError:
        print('refused')
"""
    assert guser.server().python(code).split() == ["refused"] * 3
    assert cluster.owner(cluster.stored(guser.account.home)) == "35712:1000"


def test_without_root_squash_a_missing_home_is_not_made_either(
    without_root_squash: None, url: str, api: Api, newcomers: Newcomers
) -> None:
    """The kubelet, as root, would: it makes a subPath that is missing."""
    person = Person.logged_in(url, newcomers("xnohome", home=False))
    beginning = f"{cluster.HOMES}/x"
    assert not cluster.exists(beginning)
    with counted(api, "spawn", "home-missing"):
        refusal = start_refused(person.browser, person.name)
    assert "does not exist on the file server." in refusal.text
    assert not cluster.exists(beginning), "something was made on the file server"


def test_what_a_user_does_waits_for_a_file_server_that_is_away_and_goes_on(
    url: str, api: Api, newcomers: Newcomers
) -> None:
    """Over a mount that is `hard`, as the demo's is, nothing fails."""
    person = Person.logged_in(url, newcomers("patient"))
    api.started(person.name)
    assert person.server().python("print(open('before.txt', 'w').write('x'))").strip() == "1"
    cluster.on_files("touch", "/run/keep-stopped")
    try:
        cluster.on_files("pkill", "-KILL", "-x", "ganesha.nfsd")
        pod = cluster.user_pod(person.name)["metadata"]["name"]
        script = "cd ~/notebooks && echo during >during.txt && cat before.txt during.txt"
        command = ["kubectl", "--namespace", cluster.NAMESPACE, "exec", pod, "--container=notebook", "--"]
        writing = subprocess.Popen([*command, "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        time.sleep(OUTAGE)
        assert writing.poll() is None, "it waits"
    finally:
        cluster.on_files("rm", "-f", "/run/keep-stopped")
    out, _ = writing.communicate(timeout=90)
    assert (writing.returncode, out) == (0, "xduring\n")
    stored = cluster.stored(f"{person.account.home}/notebooks/during.txt")
    assert cluster.owner(stored) == f"{person.account.uid}:{person.account.gid}"
    assert person.server().python("print(open('during.txt').read())").strip() == "during"
