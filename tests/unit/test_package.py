"""What importing costs, and what a Hub can name."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from jupyterhub.auth import Authenticator
from kubespawner import KubeSpawner

import ocfspawner
from ocfspawner import DirectoryAuthenticator, OCFSpawner, metrics


def test_a_hub_names_the_classes_by_their_entry_points() -> None:
    (spawner,) = entry_points(group="jupyterhub.spawners", name="ocf")
    (authenticator,) = entry_points(group="jupyterhub.authenticators", name="ocf")
    assert spawner.load() is OCFSpawner
    assert authenticator.load() is DirectoryAuthenticator
    assert issubclass(OCFSpawner, KubeSpawner)
    assert issubclass(DirectoryAuthenticator, Authenticator)


def test_there_is_nothing_else_to_name() -> None:
    with pytest.raises(AttributeError, match="NotThere"):
        ocfspawner.NotThere  # noqa: B018


@pytest.mark.parametrize("module", ["ocfspawner.plan", "ocfspawner.home_check", "ocfspawner.cli"])
def test_the_core_and_the_command_line_do_without_jupyterhub(module: str) -> None:
    script = f"import sys, {module}; sys.exit('jupyterhub' in sys.modules or 'ldap3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_counter_has_the_name_that_dashboards_use() -> None:
    (metric,) = metrics.REFUSALS.collect()
    assert (metric.name, metric.type) == ("ocfspawner_refusals", "counter")
    assert metrics.REFUSALS._labelnames == ("path", "reason")


def test_a_first_refusal_is_an_increase() -> None:
    """A series that begins with 1 is none to Prometheus."""
    (metric,) = metrics.REFUSALS.collect()
    counted = {(sample.labels["path"], sample.labels["reason"]) for sample in metric.samples}
    for path in ("login", "spawn", "running"):
        assert {(path, "home-missing"), (path, "directory-untrusted"), (path, "policy-invalid")} <= counted
