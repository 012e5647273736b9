"""The command line, in process."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ocfspawner import __version__
from ocfspawner.cli import main
from ocfspawner.directory.config import LDAPDirectory
from ocfspawner.errors import DirectoryUnreachable

from .support import FakeDirectory


@pytest.fixture
def config(tmp_path: Path, directory: FakeDirectory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hub's configuration, whose directory is *directory*."""
    monkeypatch.setattr(LDAPDirectory, "directory", lambda self: directory)
    path = tmp_path / "jupyterhub_config.py"
    path.write_text("c = get_config()\nc.LDAPDirectory.urls = ['ldaps://ldap.example']\n")
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_an_account_is_a_table(config: Path, directory: FakeDirectory) -> None:
    ended = run("-f", config, "account", "gstaff")
    assert ended.exit_code == 0
    assert ended.stdout.splitlines() == [
        "username  gstaff",
        "uid       12903",
        "gid       1000",
        "groups    ocf (1000), ocfstaff (1002)",
        "home      /home/g/gs/gstaff",
        "shell     /bin/bash",
        "disabled  no",
    ]
    assert directory.closed


def test_an_account_is_json(config: Path) -> None:
    found = json.loads(run("-f", config, "account", "gstaff", "--output", "json").stdout)
    assert (found["uid"], found["groups"][1]) == (12903, {"name": "ocfstaff", "gid": 1002})


def test_a_disabled_account_is_shown_and_refused(config: Path) -> None:
    ended = run("-f", config, "account", "ofc")
    assert ended.exit_code == 1
    assert "disabled  it is in group sorry" in ended.stdout


def test_a_refusal_is_for_the_administrator(config: Path, directory: FakeDirectory) -> None:
    ended = run("-f", config, "account", "GSTAFF")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == "no-such-account: no account “GSTAFF”: no entry\n"
    directory.failure = DirectoryUnreachable("ldap.example:636: refused")
    ended = run("-f", config, "account", "gstaff")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "ldap.example:636: refused" in ended.stderr
    directory.failure = None
    assert run("-f", config, "account", "gstaff").exit_code == 0


def test_a_configuration_without_a_directory_is_said(config: Path) -> None:
    config.write_text("c = get_config()\n")
    ended = run("-f", config, "account", "gstaff")
    assert ended.exit_code == 1
    assert "set c.LDAPDirectory.urls" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-f", "/does/not/exist", "account", "gstaff"], id="no configuration"),
        pytest.param(["account"], id="no user"),
        pytest.param(["frobnicate"], id="no such command"),
        pytest.param(["--frobnicate"], id="no such option"),
    ],
)
def test_usage(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("Usage: ")


def test_an_interruption_is_130(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: LDAPDirectory) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LDAPDirectory, "directory", interrupt)
    assert run("-f", config, "account", "gstaff").exit_code == 130


def test_help_and_version() -> None:
    assert run("--version").stdout.endswith(f"{__version__}\n")
    assert "kubectl exec" in run("-h").stdout
