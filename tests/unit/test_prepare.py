"""What goes before the server: the real script, run by a real shell in real directories."""

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ocfspawner.prepare import NOTICE, SECONDS_TO_TRY, prepared

from .support import account

UID, GID = (account().uid, account().gid) if os.getuid() == 0 else (os.getuid(), os.getgid())
"""Whose server it is: as in the pod, never root, who writes everywhere."""

SEEN = ("JUPYTERHUB_ROOT_DIR", "JUPYTERHUB_DEFAULT_URL", "JUPYTER_CONFIG_PATH", "IPYTHONDIR", "OCFSPAWNER_NOTICE")


@dataclass(frozen=True)
class Started:
    """What the server sees."""

    arguments: list[str]
    environment: dict[str, str]
    log: str

    @property
    def root(self) -> Path:
        return Path(self.environment["JUPYTERHUB_ROOT_DIR"])

    @property
    def notice(self) -> str:
        return (self.root / NOTICE).read_text()


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory of the person's own, which they can reach."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for path in (place, place / "home", place / "run"):
            path.mkdir(exist_ok=True)
            os.chown(path, UID, GID)
        yield place


def start(place: Path, notebook_dir: str = "", script: tuple[str, str] = ("", ""), **environment: str) -> Started:
    """Run what starts the server, with ``place/home`` as the home."""
    home = place / "home"
    show = 'printf "%s\\n" "$@" && env'
    command = prepared(["/bin/sh", "-c", show, "sh", "two words", "$HOME"])
    whole = {
        "HOME": str(home),
        "JUPYTERHUB_ROOT_DIR": f"{home}/{notebook_dir}".rstrip("/"),
        "XDG_RUNTIME_DIR": f"{place}/run",
        "JUPYTER_RUNTIME_DIR": f"{place}/run/jupyter",
        "PATH": os.defpath,
        **environment,
    }
    identity: dict[str, Any] = {"user": UID, "group": GID, "extra_groups": []} if os.getuid() == 0 else {}
    arguments = [part.replace(*script) for part in command] if script[0] else command
    ended = subprocess.run(
        arguments, env=whole, cwd=home, capture_output=True, text=True, check=True, timeout=30, **identity
    )
    first, second, *lines = ended.stdout.splitlines()
    return Started([first, second], dict(line.partition("=")[::2] for line in lines), ended.stderr)


def probe(place: Path) -> Path:
    """The file by which the home is tried."""
    return place / f"home/.ocfspawner-{platform.node()}"


def full(place: Path) -> None:
    """The kernel's own device that is always full stands where the small file is written."""
    probe(place).symlink_to("/dev/full")


def closed(place: Path) -> None:
    (place / "home").chmod(0o500)


def test_the_command_is_started_as_it_is_written(place: Path) -> None:
    assert start(place).arguments == ["two words", "$HOME"]


def test_directories_are_made_before_the_server_starts(place: Path) -> None:
    started = start(place, "a b/notebooks")
    assert started.root == place / "home/a b/notebooks"
    assert started.root.is_dir()
    assert (place / "run/jupyter").stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_fine_is_left_as_it_was(place: Path) -> None:
    started = start(place)
    assert list((place / "home").iterdir()) == []
    assert list((place / "run").iterdir()) == [place / "run/jupyter"]
    assert set(SEEN) & set(started.environment) == {"JUPYTERHUB_ROOT_DIR"}
    assert started.log == ""


def test_a_notebook_directory_that_cannot_be_made_does_not_stop_the_server(place: Path) -> None:
    (place / "home/file").touch()
    assert start(place, "file/notebooks").root == place / "home"


def test_a_full_home_gets_a_server_beside_it_and_a_notice(place: Path) -> None:
    large = place / "home/large `file`"
    large.write_bytes(os.urandom(3 * 2**20))
    full(place)
    started = start(place, "notebooks")
    assert started.root == place / "run/beside-home/files"
    assert (started.root / "home").readlink() == place / "home"
    assert started.notice.startswith("# Your home is full\n")
    assert f"your home, `{place}/home`. The file server says: *No space left on device*." in started.notice
    assert f"       3 MiB  {large}\n" in started.notice
    assert started.environment["OCFSPAWNER_NOTICE"] == str(started.root / NOTICE)
    assert started.log == "ocfspawner: the home can't be written to: No space left on device\n"
    assert not (place / "home/notebooks").exists()
    assert start(place, "notebooks").root == place / "home/notebooks", "there is room again"


def test_a_home_that_is_closed_to_its_owner_gets_a_notice_of_its_own(place: Path) -> None:
    closed(place)
    started = start(place, "notebooks")
    assert started.notice.startswith("# Your home can't be written to\n")
    assert "The file server says: *Permission denied*." in started.notice
    assert "du" not in started.log
    (place / "home").chmod(0o700)
    assert start(place, "notebooks").root == place / "home/notebooks"


def test_a_home_that_does_not_answer_costs_its_time_and_nothing_else(place: Path) -> None:
    os.mkfifo(probe(place))  # opening it waits for somebody who reads
    os.chown(probe(place), UID, GID)
    started = start(place, script=(f"KILL {SECONDS_TO_TRY} dd", "KILL 1 dd"))
    assert started.root == place / "home"
    assert "the home was not tried (status 137)" in started.log


def test_an_image_without_coreutils_starts_its_server(place: Path) -> None:
    programs = place / "bin"
    programs.mkdir()
    for name in ("sh", "env", "mkdir", "rm", "uname"):
        (programs / name).symlink_to(f"/bin/{name}")
    started = start(place, "notebooks", PATH=str(programs))
    assert started.root == place / "home/notebooks"
    assert "the home was not tried (status 127)" in started.log


@pytest.mark.parametrize(
    ("configured", "url"),
    [
        pytest.param("", f"/lab/tree/{NOTICE}", id="none"),
        pytest.param("/lab", f"/lab/tree/{NOTICE}", id="JupyterLab"),
        pytest.param("/lab/tree/welcome.ipynb", f"/lab/tree/{NOTICE}", id="a page of JupyterLab's"),
        pytest.param("/rstudio", "/rstudio", id="something else"),
    ],
)
def test_where_the_server_opens_it_opens_the_notice(place: Path, configured: str, url: str) -> None:
    full(place)
    assert start(place, JUPYTERHUB_DEFAULT_URL=configured).environment["JUPYTERHUB_DEFAULT_URL"] == url


def test_jupyter_is_set_to_do_without_the_home_and_an_administrators_settings_stay(place: Path) -> None:
    full(place)
    started = start(place, JUPYTER_CONFIG_PATH="/etc/site")
    ours, theirs = started.environment["JUPYTER_CONFIG_PATH"].split(":")
    assert theirs == "/etc/site"
    settings = json.loads((Path(ours) / "jupyter_server_config.json").read_text())
    assert settings["FileContentsManager"] == {"delete_to_trash": False}
    lab = json.loads((Path(ours) / "labconfig/default_setting_overrides.json").read_text())
    assert lab["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"] == {"markdown": "Markdown Preview"}
    terminal = settings["ServerApp"]["terminado_settings"]["shell_command"]
    shell = {**started.environment, "SHELL": "/bin/true"}
    shown = subprocess.run(terminal, env=shell, capture_output=True, text=True, check=True)
    assert shown.stdout == started.notice
