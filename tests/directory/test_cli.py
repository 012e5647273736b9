"""The command line against a directory: what an administrator sees."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ocfspawner.cli.main import main

from .authority import Authority
from .conftest import DirectoryAt
from .proxy import Proxy

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def account(tmp_path: Path, proxy: Proxy, authority: Authority, directory_at: DirectoryAt) -> Callable[[str], int]:
    """Runs ``ocfspawner account``; *directory_at* sees to it that no thread is left."""
    config = tmp_path / "jupyterhub_config.py"
    config.write_text(
        "c = get_config()\n"
        f"c.LDAPDirectory.urls = ['ldaps://127.0.0.1:{proxy.port}']\n"
        f"c.LDAPDirectory.ca_file = {str(authority.file)!r}\n"
        "c.LDAPDirectory.deadline = 2\n"
    )
    return lambda username: main(["account", username, "-f", str(config)])


def test_an_account(account: Callable[[str], int], proxy: Proxy, capsys: Capture) -> None:
    assert account("gstaff") == 0
    said = capsys.readouterr().out
    assert "groups    ocf (1000), ocfstaff (1002), ocfhpc (1006)" in said
    assert f"answered  by 127.0.0.1:{proxy.port} in " in said


@pytest.mark.parametrize(
    ("username", "said"),
    [
        pytest.param("GSTAFF", "no-such-account: no account “GSTAFF”: the directory spells it b'gstaff'", id="case"),
        pytest.param("nobody", "no-such-account: no account “nobody”: no entry", id="no entry"),
    ],
)
def test_why_there_is_none(account: Callable[[str], int], capsys: Capture, username: str, said: str) -> None:
    assert account(username) == 1
    assert said in capsys.readouterr().err.splitlines()


def test_an_outage(account: Callable[[str], int], proxy: Proxy, capsys: Capture) -> None:
    proxy.refusing = True
    assert account("gstaff") == 1
    ended = capsys.readouterr()
    assert ended.out == ""
    assert "directory-unreachable: the directory can't be reached: no answer within 2 s; " in ended.err
    assert f"127.0.0.1:{proxy.port}" in ended.err
    proxy.refusing = False
    assert account("gstaff") == 0
