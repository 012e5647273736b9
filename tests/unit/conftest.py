"""Fixtures of the unit tests: no service, no network, no kubeconfig."""

from collections.abc import Callable, Iterator
from pathlib import Path

import kubespawner.spawner
import pytest
from hypothesis import settings

from ocfspawner import OCFSpawner, policy_file
from ocfspawner.directory.config import LDAPDirectory

from .hubless import BASE, FakeCluster
from .support import GSTAFF, FakeDirectory, account

settings.register_profile("ocfspawner", derandomize=True, deadline=None, database=None, max_examples=100)
settings.load_profile("ocfspawner")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/unit/data anew, and pass")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of that name in ``data``."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "data" / name
        if request.config.getoption("update_golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), "differs; read it, then `pytest --update-golden`"

    return compare


@pytest.fixture
def directory() -> FakeDirectory:
    """gstaff, and ofc, who is disabled."""
    return FakeDirectory(GSTAFF, account(username="ofc", disabled="it is in group sorry"))


@pytest.fixture(autouse=True)
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """What spawners take for Kubernetes; no test reaches another one."""
    cluster = FakeCluster()
    monkeypatch.setattr(kubespawner.spawner, "load_config", lambda **_: None)
    monkeypatch.setattr(kubespawner.spawner, "shared_client", lambda _: cluster)
    monkeypatch.setitem(OCFSpawner.reflectors, ("pods", BASE["namespace"]), cluster)
    return cluster


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the process keeps between spawns starts empty in each test."""
    monkeypatch.setattr(policy_file, "_loaded", {})
    yield
    LDAPDirectory.clear_instance()
