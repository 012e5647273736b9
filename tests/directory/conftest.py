"""Fixtures of the directory tests: a real slapd over TLS, started and stopped here.

They need the Debian packages slapd, krb5-kdc, krb5-admin-server and libsasl2-modules-gssapi-mit, as programs
only: their services need not run; and the Python package gssapi.
"""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubespawner.spawner
import pytest
from traitlets.config import Config

from ocfspawner import OCFSpawner
from ocfspawner.directory.client import Directory
from ocfspawner.directory.config import LDAPDirectory
from ocfspawner.directory.settings import DirectorySettings, Security, ServerAddress

from .authority import Authority
from .proxy import Proxy
from .slapd import Entries, Slapd

DirectoryAt = Callable[..., Directory]


@pytest.fixture(scope="session", autouse=True)
def _collect_only_what_tests_leave() -> None:
    """All that was imported is out of the collector's sight: each test ends with a collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that the directories under test trust."""
    return Authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Path:
    """A good certificate, for 127.0.0.1."""
    return authority.issue(authority.file.parent / "server", "127.0.0.1")


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Slapd]:
    """The server of the session; it always runs."""
    with Slapd(tmp_path_factory.mktemp("slapd"), certificate) as slapd:
        yield slapd


@pytest.fixture
def another(tmp_path: Path, certificate: Path) -> Iterator[Callable[..., Slapd]]:
    """Starts a server of the test's own, with other settings."""
    with ExitStack() as stack:

        def start(
            configuration: dict[str, str] | None = None,
            certificate: Path = certificate,
            files: dict[str, str] | None = None,
            **more: Any,
        ) -> Slapd:
            folder = tmp_path / f"slapd-{len(list(tmp_path.iterdir()))}"
            return stack.enter_context(Slapd(folder, certificate, configuration, files, **more))

        yield start


@pytest.fixture
def entries(slapd: Slapd) -> Iterator[Entries]:
    """Adds entries to *slapd* for the time of the test."""
    with slapd.entries() as entries:
        yield entries


@pytest.fixture
def proxy(slapd: Slapd) -> Iterator[Proxy]:
    """A proxy in front of *slapd*."""
    with Proxy(slapd.port) as proxy:
        yield proxy


@pytest.fixture
def directory_at(authority: Authority) -> Iterator[DirectoryAt]:
    """Makes directories at ports of 127.0.0.1; none of their threads and sockets outlives the test.

    They ask for each look-up, unless a test says for how long they may remember.
    """
    made: list[Directory] = []

    def make(*ports: int, host: str = "127.0.0.1", security: Security = Security.TLS, **settings: Any) -> Directory:
        servers = tuple(ServerAddress(host, port, security) for port in ports)
        given = {"servers": servers, "ca_file": authority.file, "cache_ttl": 0.0, "negative_cache_ttl": 0.0}
        made.append(Directory(DirectorySettings(**{**given, **settings})))
        return made[-1]

    yield make
    for directory in made:
        directory.close()
    until = time.monotonic() + 10
    while left := [thread.name for thread in threading.enumerate() if thread.name.startswith("directory")]:
        assert time.monotonic() < until, f"threads are left: {left}"
        time.sleep(0.01)
    gc.collect()


@pytest.fixture
def directory(slapd: Slapd, directory_at: DirectoryAt) -> Directory:
    """The directory, when everything is fine."""
    return directory_at(slapd.port)


@pytest.fixture
def spawner_at(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Callable[..., OCFSpawner]:
    """Makes spawners without a Hub or a cluster, which ask the directory at a port of 127.0.0.1."""
    monkeypatch.setattr(kubespawner.spawner, "load_config", lambda **_: None)
    monkeypatch.setattr(kubespawner.spawner, "shared_client", lambda _: None)

    def make(port: int, username: str = "guser", **settings: Any) -> OCFSpawner:
        config = Config(KubeSpawner={"namespace": "hub", "image": "image:1", "events_enabled": False})
        config.LDAPDirectory.urls = [f"ldaps://127.0.0.1:{port}"]
        config.LDAPDirectory.ca_file = str(authority.file)
        config.LDAPDirectory.update({"cache_ttl": 0.0, "negative_cache_ttl": 0.0, **settings})
        user = SimpleNamespace(
            name=username, escaped_name=username, url=f"/user/{username}/", id=1, settings={}, groups=[]
        )
        return OCFSpawner(config=config, user=user, _mock=True)

    return make


@pytest.fixture(autouse=True)
def _no_directory_is_remembered() -> Iterator[None]:
    yield
    if LDAPDirectory.initialized():
        LDAPDirectory.instance().directory().close()
        LDAPDirectory.clear_instance()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """A test that fails shows what its server wrote."""
    report: pytest.TestReport = yield
    slapd = getattr(item, "funcargs", {}).get("slapd")
    if report.failed and slapd:
        report.sections.append(("slapd", "\n".join(slapd.log.splitlines()[-20:])))
    return report
