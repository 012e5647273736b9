"""A look at the home before it is mounted.

The kubelet makes a missing ``subPath`` directory itself, as root.  So a first container mounts the
homes read-only, as the user, and looks; the kubelet prepares ``subPath`` mounts container by container,
so nothing is left behind when it fails.  It costs about a second a spawn; a check that costs less can
take its place behind the same two functions.  Pure.
"""

from collections.abc import Mapping

from ocfspawner.errors import HomeError, HomeMissing, HomeNotOwned, HomeUnusable
from ocfspawner.plan import HOME_VOLUME, Manifest, ServerPlan

CONTAINER = "home-check"
_MOUNT = "/homes"

_MISSING, _NOT_A_DIRECTORY, _SYMLINK, _NOT_OWNED, _NO_WAY_IN = 40, 41, 42, 43, 44

_SCRIPT = f"""\
path={_MOUNT}
IFS=/
set -f
for part in $1; do
    [ -x "$path" ] || exit {_NO_WAY_IN}
    path=$path/$part
    [ -L "$path" ] && exit {_SYMLINK}
    [ -e "$path" ] || exit {_MISSING}
    [ -d "$path" ] || exit {_NOT_A_DIRECTORY}
done
[ -O "$path" ] || exit {_NOT_OWNED}
[ -x "$path" ] || exit {_NO_WAY_IN}
"""
"""POSIX shell, run as the user with the home's path in the volume as its only argument.  Each part of the
path is looked at, because a symbolic link half-way leads elsewhere just as well."""


def check_container(plan: ServerPlan) -> Manifest:
    """The container that looks, as the user; its image needs ``/bin/sh``."""
    return {
        "name": CONTAINER,
        "image": plan.check_image,
        "command": ["/bin/sh", "-c", _SCRIPT, CONTAINER, plan.home.sub_path],
        "workingDir": "/",
        "volumeMounts": [{"name": HOME_VOLUME, "mountPath": _MOUNT, "readOnly": True}],
    }


def refusal(plan: ServerPlan, status: Mapping[str, object]) -> HomeError | None:
    """What a pod's ``status`` says of the look: a refusal, or ``None`` while there is none.

    *status* is a PodStatus as the API server sends it.
    """
    exit_code = _exit_code(status)
    if not exit_code:
        return None
    username, path = plan.account.username, plan.home.path
    if exit_code == _MISSING:
        return HomeMissing(username, path)
    if exit_code == _NOT_OWNED:
        return HomeNotOwned(username, path)
    details = {
        _NOT_A_DIRECTORY: "it, or a directory above it, is not a directory",
        _SYMLINK: "it, or a directory above it, is a symbolic link",
        _NO_WAY_IN: "it, or a directory above it, can't be entered with the user's ids",
    }
    detail = details.get(exit_code, f"container {CONTAINER} ended with status {exit_code}")
    return HomeUnusable(username, path, detail)


def _exit_code(status: Mapping[str, object]) -> int:
    """The exit code of the last look that ended; 0 when none has failed."""
    containers = status.get("initContainerStatuses")
    for container in containers if isinstance(containers, list) else ():
        if container["name"] == CONTAINER:
            for state in (container.get("state") or {}, container.get("lastState") or {}):
                if "terminated" in state:
                    return int(state["terminated"]["exitCode"])
    return 0
