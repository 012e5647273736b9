"""A look at the home before it is mounted.

The kubelet makes a missing ``subPath`` directory itself, as root.  So a first container mounts the
homes read-only, as the user, and looks; the kubelet prepares ``subPath`` mounts container by container,
so nothing is left behind when it fails.  It costs about a second a spawn; a check that costs less can
take its place behind the same two functions.  A home that is a volume of its own (inline NFS) can be missing before
any container starts: the kubelet can't mount it then, and says so in an event.  Pure.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ocfspawner.errors import HomeError, HomeMissing, HomeNotOwned, HomeUnusable
from ocfspawner.plan import HOME_VOLUME, Manifest, ServerPlan

Object = Mapping[str, Any]
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


_NOT_MOUNTED = re.compile(rf'for volume "{HOME_VOLUME}".*reason given by server: No such file or directory', re.DOTALL)
"""What mount.nfs says of a path that the server does not have (nfs-utils 2.6, utils/mount/error.c, mount_error)."""


def check_container(plan: ServerPlan) -> Manifest:
    """The container that looks, as the user; its image needs ``/bin/sh``."""
    return {
        "name": CONTAINER,
        "image": plan.check_image,
        "command": ["/bin/sh", "-c", _SCRIPT, CONTAINER, plan.home.sub_path],
        "workingDir": "/",
        "volumeMounts": [{"name": HOME_VOLUME, "mountPath": _MOUNT, "readOnly": True}],
    }


def refusal(plan: ServerPlan, pod: Object, events: Callable[[], Iterable[Object]] = tuple) -> HomeError | None:
    """What *pod* and its events say of the home: a refusal, or ``None`` while there is none.

    Pod and events are as the API server sends them; *events* may hold those of other pods.  It is called only when the
    home is a volume of its own: what a claim mounts is everybody's, and says nothing of one home.
    """
    username, path = plan.account.username, plan.home.path
    exit_code = _exit_code(pod.get("status") or {})
    if not exit_code:
        is_missing = not plan.home.sub_path and any(_was_not_there(pod, event) for event in events())
        return HomeMissing(username, path) if is_missing else None
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


def _was_not_there(pod: Object, event: Object) -> bool:
    """Whether the server did not have the home when it was to be mounted for this very pod."""
    is_of_pod = (event.get("involvedObject") or {}).get("uid") == (pod.get("metadata") or {}).get("uid")
    return is_of_pod and event.get("reason") == "FailedMount" and bool(_NOT_MOUNTED.search(event.get("message") or ""))


def _exit_code(status: Object) -> int:
    """The exit code of the last look that ended; 0 when none has failed."""
    containers = status.get("initContainerStatuses")
    for container in containers if isinstance(containers, list) else ():
        if container["name"] == CONTAINER:
            for state in (container.get("state") or {}, container.get("lastState") or {}):
                if "terminated" in state:
                    return int(state["terminated"]["exitCode"])
    return 0
