"""The command line, in process: accounts, exit codes, and whose mistake something is."""

import json
import threading
from pathlib import Path

import pytest

from ocfspawner import __version__
from ocfspawner.cli import account as account_command
from ocfspawner.cli import check as check_command
from ocfspawner.cli import checks, checks_outside
from ocfspawner.cli.main import main
from ocfspawner.directory.config import LDAPDirectory
from ocfspawner.errors import DirectoryUnreachable

from .support import FakeDirectory

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path, directory: FakeDirectory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hub's configuration, whose directory is *directory*."""
    monkeypatch.setattr(LDAPDirectory, "directory", lambda self: directory)
    path = tmp_path / "jupyterhub_config.py"
    path.write_text("c = get_config()\nc.LDAPDirectory.urls = ['ldaps://ldap.example']\n")
    return path


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_an_account_is_a_table(config: Path, directory: FakeDirectory, capsys: Capture) -> None:
    assert run("account", "gstaff", "-f", config) == 0
    *rows, answered = capsys.readouterr().out.splitlines()
    assert rows == [
        "username  gstaff",
        "uid       12903",
        "gid       1000",
        "groups    ocf (1000), ocfstaff (1002)",
        "home      /home/g/gs/gstaff",
        "shell     /bin/bash",
        "disabled  no",
    ]
    assert answered.startswith("answered  by ldap.example:636 in ")
    assert directory.closed


def test_an_account_is_json(config: Path, capsys: Capture) -> None:
    assert run("account", "gstaff", "-f", config, "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["account"]["uid"], found["account"]["groups"][1]) == (12903, {"name": "ocfstaff", "gid": 1002})
    assert (found["answered_by"], found["refused"]) == ("ldap.example:636", None)


def test_a_disabled_account_is_shown_and_refused(config: Path, capsys: Capture) -> None:
    assert run("account", "ofc", "-f", config) == 1
    said = capsys.readouterr()
    assert "disabled  it is in group sorry" in said.out
    assert "account-disabled: " in said.err


def test_a_refusal_is_for_both_readers(config: Path, directory: FakeDirectory, capsys: Capture) -> None:
    assert run("account", "GSTAFF", "-f", config) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "no-such-account: no account “GSTAFF”: no entry"
    assert said.err.splitlines()[1].startswith("The person reads: There is no account named “GSTAFF”")
    directory.failure = DirectoryUnreachable("ldap.example:636: refused")
    assert run("account", "gstaff", "-f", config, "--output", "json") == 1
    assert json.loads(capsys.readouterr().out)["refused"]["reason"] == "directory-unreachable"
    directory.failure = None
    assert run("account", "gstaff", "-f", config) == 0


def test_a_mistake_in_a_site_s_own_file_is_named_with_that_file(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "site.py").write_text("\ndef limit():\n    return nonsense\nlimit()\n")
    path = tmp_path / "jupyterhub_config.py"
    path.write_text('load_subconfig("site.py")\n')
    assert run("account", "gstaff", "-f", path) == 1
    assert f"{tmp_path / 'site.py'}:3: NameError" in capsys.readouterr().err
    (tmp_path / "site.py").write_text("\nif\n")
    assert run("account", "gstaff", "-f", path) == 1
    assert "site.py:2: SyntaxError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("c = get_config()\n", "set c.LDAPDirectory.urls", id="no directory"),
        pytest.param("c = get_config(\n", "jupyterhub_config.py:1: SyntaxError", id="no Python"),
        pytest.param("\n\nnonsense\n", "jupyterhub_config.py:3: NameError", id="an unknown name"),
        pytest.param("\nimport json\njson.loads('{')\n", "jupyterhub_config.py:3: JSONDecodeError", id="deeper"),
        pytest.param("raise SystemExit(3)\n", "jupyterhub_config.py:1: SystemExit", id="an exit"),
        pytest.param("c = get_config()\nc.LDAPDirectory.urls = 'x'\n", "LDAPDirectory: ", id="a wrong type"),
    ],
)
def test_a_mistake_in_the_configuration_is_no_traceback(tmp_path: Path, text: str, said: str, capsys: Capture) -> None:
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(text)
    assert run("account", "gstaff", "-f", path) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_without_any_configuration_it_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("explain", "gstaff") == 1
    assert "no jupyterhub_config.py and no /srv/jupyterhub/jupyterhub_config.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["account", "gstaff", "-f", "/does/not/exist"], id="no configuration"),
        pytest.param(["account"], id="no user"),
        pytest.param(["frobnicate"], id="no such command"),
        pytest.param(["--frobnicate"], id="no such option"),
        pytest.param(["simulate"], id="whose accounts?"),
        pytest.param(["simulate", "--all", "--group", "x"], id="too many whose"),
        pytest.param(["spawn", "gstaff", "--timeout", "0"], id="no time"),
        pytest.param(["policy", "diff", "one"], id="a policy too few"),
    ],
)
def test_usage(arguments: list[str], capsys: Capture) -> None:
    assert run(*arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: ")


def test_an_interruption_is_130(config: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupt(self: LDAPDirectory) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LDAPDirectory, "directory", interrupt)
    assert run("account", "gstaff", "-f", config) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_bug_is_ours_and_says_where_its_traceback_is(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(account_command, "_print", lambda found: 1 / 0)
    monkeypatch.setenv("TMPDIR", str(config.parent))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert run("account", "gstaff", "-f", config) == 3
    error = capsys.readouterr().err
    assert "This is a bug in ocfspawner: ZeroDivisionError" in error
    assert f"ocfspawner {__version__}, jupyterhub " in error
    assert "Traceback" not in error
    (log,) = config.parent.glob("ocfspawner-*.log")
    assert str(log) in error
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("command", ["account", "explain", "manifest", "spawn", "check", "simulate", "policy"])
def test_each_command_has_help_with_an_example(command: str, capsys: Capture) -> None:
    groups = [[command]] if command != "policy" else [[command, sub] for sub in ("check", "diff", "schema")]
    for arguments in groups:
        assert run(*arguments, "--help") == 0
        assert (
            f"ocfspawner {' '.join(arguments)}" in capsys.readouterr().out.partition("Options:")[0].partition("\n")[2]
        )


def test_help_and_version(capsys: Capture) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.endswith(f"{__version__}\n")
    assert run("-h") == 0
    assert "exec deploy/hub -- ocfspawner" in capsys.readouterr().out


def test_help_imports_nothing_that_is_slow() -> None:
    """``--help`` within half a second, by what it leaves out."""
    import subprocess
    import sys

    code = (
        "import sys; from ocfspawner.cli.main import main; main(['--help']);"
        "print(*{'jupyterhub', 'kubespawner', 'kubernetes_asyncio', 'ldap3', 'rich', 'yaml', 'pydantic', 'traitlets',"
        " 'asyncio', 'prometheus_client'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_a_check_that_never_ends_keeps_nothing_waiting(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Not even the end of the process, which waits for ordinary threads."""
    never = threading.Event()
    monkeypatch.setattr(check_command, "_SECONDS", 0.1)
    monkeypatch.setattr(checks, "LOOKS", (("database", lambda hub: never.wait()),))
    monkeypatch.setattr(checks_outside, "QUESTIONS", ())
    assert run("check", "-f", config, "--output", "json") == 1
    (late,) = [one for one in json.loads(capsys.readouterr().out)["checks"] if one["state"] == "BAD"]
    assert (late["name"], late["detail"]) == ("database", "no answer within 0.1 s")
    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    never.set()


@pytest.mark.parametrize(
    ("settings", "finding"),
    [
        pytest.param(
            "c.JupyterHub.db_url = '://me:hunter2@db'", ("database", "c.JupyterHub.db_url is no URL"), id="url"
        ),
        pytest.param(
            "c.JupyterHub.db_url = 'no.sqlite'", ("database", "sqlite:///no.sqlite is not there yet"), id="file"
        ),
        pytest.param(f"c.JupyterHub.cookie_secret = '{'ab' * 32}'", ("cookie secret", "32 bytes, from "), id="hex"),
        pytest.param("c.JupyterHub.cookie_secret = b'abc'", ("cookie secret", "3 bytes, from the conf"), id="short"),
        pytest.param("", ("image", "quay.io/jupyterhub/singleuser:latest: whatever"), id="no image"),
    ],
)
def test_check_looks_at_a_setting(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, settings: str, finding: tuple[str, str]
) -> None:
    monkeypatch.setattr(checks_outside, "QUESTIONS", ())
    config.write_text(f"{config.read_text()}{settings}\n")
    run("check", "-f", config, "--output", "json")
    out = capsys.readouterr().out
    name, said = finding
    assert said in next(one["detail"] for one in json.loads(out)["checks"] if one["name"] == name)
    assert "hunter2" not in out


@pytest.mark.parametrize(
    "settings", ["c.JupyterHub.cookie_secret = 'hunter2'", "c.JupyterHub.port = 'x'", "c.OCFSpawner.shells = 3"]
)
def test_a_setting_that_the_hub_would_not_take_is_no_bug_of_ours(config: Path, capsys: Capture, settings: str) -> None:
    config.write_text(f"{config.read_text()}{settings}\n")
    for command in ("check", "manifest"):
        arguments = ["gstaff"] if command == "manifest" else []
        assert run(command, *arguments, "-f", config) == 1
        said = capsys.readouterr()
        assert "settings: " in said.out + said.err
