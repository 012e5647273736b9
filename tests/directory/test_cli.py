"""The command line against a directory: what an administrator sees."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ocfspawner.cli import main

from .authority import Authority
from .conftest import DirectoryAt
from .proxy import Proxy


@pytest.fixture
def account(tmp_path: Path, proxy: Proxy, authority: Authority, directory_at: DirectoryAt) -> Callable[[str], Result]:
    """Runs ``ocfspawner account``; *directory_at* sees to it that no thread is left."""
    config = tmp_path / "jupyterhub_config.py"
    config.write_text(
        "c = get_config()\n"
        f"c.LDAPDirectory.urls = ['ldaps://127.0.0.1:{proxy.port}']\n"
        f"c.LDAPDirectory.ca_file = {str(authority.file)!r}\n"
        "c.LDAPDirectory.deadline = 5\n"
    )
    return lambda username: CliRunner().invoke(main, ["-f", str(config), "account", username])


def test_an_account(account: Callable[[str], Result]) -> None:
    ended = account("gstaff")
    assert ended.exit_code == 0
    assert "groups    ocf (1000), ocfstaff (1002), ocfhpc (1006)" in ended.stdout


@pytest.mark.parametrize(
    ("username", "said"),
    [
        pytest.param("GSTAFF", "no-such-account: no account “GSTAFF”: the directory spells it b'gstaff'", id="case"),
        pytest.param("nobody", "no-such-account: no account “nobody”: no entry", id="no entry"),
    ],
)
def test_why_there_is_none(account: Callable[[str], Result], username: str, said: str) -> None:
    ended = account(username)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (1, "", f"{said}\n")


def test_an_outage(account: Callable[[str], Result], proxy: Proxy) -> None:
    proxy.refusing = True
    ended = account("gstaff")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"directory-unreachable: the directory can't be reached: 127.0.0.1:{proxy.port}")
    proxy.refusing = False
    assert account("gstaff").exit_code == 0
