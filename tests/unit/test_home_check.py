"""The look at the home: the real script, run by a real shell on real directories."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ocfspawner.errors import HomeError, HomeMissing, HomeNotOwned, HomeUnusable
from ocfspawner.home import ClaimHomes, HomeVolume, NFSHomes
from ocfspawner.home_check import CONTAINER, check_container, refusal

from .support import account, plan

UID, GID = (account().uid, account().gid) if os.getuid() == 0 else (os.getuid(), os.getgid())
"""Who looks: as in the pod, never root, who enters and owns everything."""


@pytest.fixture
def homes() -> Iterator[Path]:
    """The volume, which everybody can enter, with gstaff's home in it."""
    with tempfile.TemporaryDirectory() as directory:
        homes = Path(directory)
        home = homes / "g/gs/gstaff"
        home.mkdir(parents=True)
        os.chown(home, UID, GID)
        home.chmod(0o700)
        homes.chmod(0o755)
        yield homes


def look(volume: Path, path: str = "g/gs/gstaff") -> HomeError | None:
    """What the Hub makes of the script's exit status, with the volume at *volume* and the home at *path* in it."""
    *script, _ = [part.replace("/homes", str(volume)) for part in manifest()["command"]]
    identity: dict[str, Any] = {"user": UID, "group": GID, "extra_groups": []} if os.getuid() == 0 else {}
    ended = subprocess.run([*script, path], cwd="/", capture_output=True, text=True, check=False, **identity)
    assert (ended.stdout, ended.stderr) == ("", "")
    return refusal(plan(), {"status": status({"terminated": {"exitCode": ended.returncode}})})


def manifest(homes: HomeVolume | None = None) -> dict[str, Any]:
    return dict(check_container(plan(homes)))


def status(state: dict[str, Any], last: dict[str, Any] | None = None, name: str = CONTAINER) -> dict[str, Any]:
    return {"initContainerStatuses": [{"name": name, "state": state, "lastState": last or {}}]}


def removed(path: Path) -> None:
    path.rmdir()


def link_elsewhere(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def dangling_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("nowhere")


def file_instead(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.touch()


def closed(path: Path) -> None:
    path.chmod(0o600)


def test_a_home_of_their_own_is_fine(homes: Path) -> None:
    assert look(homes) is None


@pytest.mark.parametrize(
    ("part", "defect", "kind", "said"),
    [
        pytest.param("g/gs/gstaff", removed, HomeMissing, "does not exist", id="missing"),
        pytest.param("g/gs/gstaff", link_elsewhere, HomeUnusable, "symbolic link", id="a link"),
        pytest.param("g/gs/gstaff", dangling_link, HomeUnusable, "symbolic link", id="a link to nowhere"),
        pytest.param("g/gs", link_elsewhere, HomeUnusable, "symbolic link", id="a link half-way"),
        pytest.param("g/gs/gstaff", file_instead, HomeUnusable, "not a directory", id="a file"),
        pytest.param("g/gs", file_instead, HomeUnusable, "not a directory", id="a file half-way"),
        pytest.param("g", closed, HomeUnusable, "can't be entered", id="a way that is closed"),
        pytest.param("g/gs/gstaff", closed, HomeUnusable, "can't be entered", id="closed to its owner"),
    ],
)
def test_any_other_home_is_refused(
    homes: Path, part: str, defect: Callable[[Path], None], kind: type[HomeError], said: str
) -> None:
    path = homes / part
    defect(path)
    refused = look(homes)
    assert type(refused) is kind
    assert said in refused.admin_text
    repair(path)
    assert look(homes) is None


def repair(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    if elsewhere.exists():
        path.unlink()
        elsewhere.rename(path)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)
    os.chown(path, UID, GID)


@pytest.mark.parametrize("path", [pytest.param("usr", id="of root"), pytest.param("tmp", id="of root, open to all")])
def test_a_home_of_somebody_else_is_refused(homes: Path, path: str) -> None:
    refused = look(Path("/"), path)
    assert type(refused) is HomeNotOwned
    assert "not owned" in refused.admin_text
    assert look(homes) is None


def test_a_home_that_only_its_owner_enters_is_fine(homes: Path) -> None:
    (homes / "g/gs/gstaff").chmod(0o100)
    assert look(homes) is None


def test_looking_leaves_nothing_behind(homes: Path) -> None:
    (homes / "g/gs/gstaff").rmdir()
    look(homes)
    assert not (homes / "g/gs/gstaff").exists()


def test_names_are_no_patterns(homes: Path) -> None:
    assert type(look(homes, "g/*/gstaff")) is HomeMissing
    assert look(homes, "g/gs/gstaff") is None


def test_an_inline_nfs_volume_is_the_home_itself(homes: Path) -> None:
    path = manifest(NFSHomes())["command"][-1]
    assert look(homes / "g/gs/gstaff", path) is None
    assert type(look(Path("/"), path)) is HomeNotOwned


def test_the_container_looks_and_cannot_touch() -> None:
    container = manifest()
    assert container["image"] == "check:1"
    assert container["volumeMounts"] == [{"name": "home", "mountPath": "/homes", "readOnly": True}]
    assert container["command"][-1] == "g/gs/gstaff"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        pytest.param({}, None, id="no status yet"),
        pytest.param({"initContainerStatuses": None}, None, id="no containers yet"),
        pytest.param({"initContainerStatuses": []}, None, id="no container yet"),
        pytest.param(status({"waiting": {"reason": "PodInitializing"}}), None, id="not started"),
        pytest.param(status({"running": {}}), None, id="looking"),
        pytest.param(status({"terminated": {"exitCode": 0}}), None, id="fine"),
        pytest.param(status({"terminated": {"exitCode": 40}}), HomeMissing, id="missing"),
        pytest.param(status({"terminated": {"exitCode": 43}}), HomeNotOwned, id="not owned"),
        pytest.param(status({"terminated": {"exitCode": 127}}), HomeUnusable, id="an image without a shell"),
        pytest.param(status({"waiting": {}}, {"terminated": {"exitCode": 40}}), HomeMissing, id="about to look again"),
        pytest.param(status({"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 40}}), None, id="fine now"),
        pytest.param(status({"terminated": {"exitCode": 40}}, name="other"), None, id="another container failed"),
    ],
)
def test_what_a_pods_status_says(state: dict[str, Any], kind: type[HomeError] | None) -> None:
    refused = refusal(plan(), {"status": state})
    assert type(refused) is (kind or type(None))


NOT_THERE = """\
MountVolume.SetUp failed for volume "home" : mount failed: exit status 32
Mounting command: mount
Mounting arguments: -t nfs files:/home/g/gs/gstaff /var/lib/kubelet/pods/1/volumes/kubernetes.io~nfs/home
Output: mount.nfs: mounting files:/home/g/gs/gstaff failed, reason given by server: No such file or directory"""


def event(message: str | None, reason: str = "FailedMount", uid: str = "1") -> dict[str, Any]:
    return {"type": "Warning", "reason": reason, "message": message, "involvedObject": {"uid": uid}}


@pytest.mark.parametrize(
    ("homes", "events", "kind"),
    [
        pytest.param(NFSHomes(), [event(NOT_THERE)], HomeMissing, id="an inline NFS home that is not there"),
        pytest.param(NFSHomes(), [event(None), event("pulled", "Pulled"), event(NOT_THERE)], HomeMissing, id="later"),
        pytest.param(NFSHomes(), [], None, id="nothing has happened"),
        pytest.param(NFSHomes(), [event(NOT_THERE.replace('home"', 'data"'))], None, id="another volume"),
        pytest.param(NFSHomes(), [event(NOT_THERE, "Failed")], None, id="another event"),
        pytest.param(NFSHomes(), [event(NOT_THERE, uid="2")], None, id="another pod"),
        pytest.param(
            NFSHomes(), [event(NOT_THERE.replace("No such file or directory", "Stale file handle"))], None, id="stale"
        ),
        pytest.param(
            NFSHomes(),
            [event('... volume "home" : access denied by server while mounting files:/home')],
            None,
            id="denied",
        ),
        pytest.param(ClaimHomes(), [event(NOT_THERE)], None, id="the claim of all homes"),
    ],
)
def test_what_a_pods_events_say(homes: HomeVolume, events: list[dict[str, Any]], kind: type[HomeError] | None) -> None:
    refused = refusal(plan(homes), {"metadata": {"uid": "1"}, "status": {"phase": "Pending"}}, lambda: events)
    assert type(refused) is (kind or type(None))


def test_a_status_that_is_not_ours_is_told_to_the_administrator() -> None:
    refused = refusal(plan(), {"status": status({"terminated": {"exitCode": 127}})})
    assert refused
    assert "ended with status 127" in refused.admin_text
    assert "127" not in refused.user_text
