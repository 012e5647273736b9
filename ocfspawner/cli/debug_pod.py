"""The debug spawn's pod: a person's server, made so that it can do no harm.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from ocfspawner.cli.inside import PROBE, SCRIPT
from ocfspawner.plan import HOME_VOLUME, ServerPlan

COMPONENT = "debug-spawn"
"""In place of the label by which the Hub knows its servers: it never sees this pod."""

NOTEBOOK = "notebook"
_HOME_VOLUME, _HOME = "debug-home", "/run/debug-home"
_NO_TOKEN = "debug-spawn"  # noqa: S105 - this is the point
_LINGER = 60
"""Seconds after the time limit when the pod ends by itself, should we be killed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a debug spawn is to go."""

    read_write: bool = False
    """Mount the home as a server has it, instead of read-only."""

    keep: bool = False
    """Leave the pod, with its server running."""

    seconds: int = 120
    """For the whole spawn."""


def debug_name(manifest: Mapping[str, Any]) -> str:
    """A name that no server has, with the person's slug in it."""
    slug = str(manifest["metadata"]["name"]).removeprefix("jupyter-")[:40].strip("-.")
    return f"ocf-debug-{slug}-{token_hex(3)}"


def debug_pod(manifest: Mapping[str, Any], plan: ServerPlan, name: str, wish: Wish) -> dict[str, Any]:
    """*manifest* under another name and label, without a token, its home read-only unless wished otherwise.

    HOME is then an emptyDir, for Jupyter does not start on a home that it can't write.  The pod ends by itself
    some time after the wish's seconds, unless it is to be kept.
    """
    metadata, spec = manifest["metadata"], manifest["spec"]
    labels = {**metadata.get("labels", {}), "component": COMPONENT, "app.kubernetes.io/component": COMPONENT}
    containers = [
        _debug_container(container, plan, wish) if container["name"] == NOTEBOOK else container
        for container in spec["containers"]
    ]
    changed = {
        **spec,
        "containers": containers,
        "volumes": [*spec["volumes"], {"name": _HOME_VOLUME, "emptyDir": {"sizeLimit": "64Mi"}}],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
    }
    if not wish.keep:
        changed["activeDeadlineSeconds"] = wish.seconds + _LINGER
    return {**manifest, "metadata": {**metadata, "name": name, "labels": labels}, "spec": changed}


def _debug_container(container: Mapping[str, Any], plan: ServerPlan, wish: Wish) -> dict[str, Any]:
    # A hook could write to the home; this pod's container has none.
    kept = {key: value for key, value in container.items() if key != "lifecycle"}
    mounts = [
        {**mount, "readOnly": True} if mount["name"] == HOME_VOLUME and not wish.read_write else mount
        for mount in container["volumeMounts"]
    ]
    home = {} if wish.read_write else {"HOME": _HOME}
    environment = {
        **home,
        "JUPYTERHUB_API_TOKEN": _NO_TOKEN,
        "JPY_API_TOKEN": _NO_TOKEN,
        # Empty: a server without a token must not report to the Hub.
        "JUPYTERHUB_ACTIVITY_URL": "",
        "OCFSPAWNER_HOME": plan.home.path,
        "OCFSPAWNER_KEEP": "yes" if wish.keep else "",
    }
    others = [entry for entry in container.get("env", ()) if entry["name"] not in environment]
    return {
        **kept,
        "volumeMounts": [*mounts, {"name": _HOME_VOLUME, "mountPath": _HOME}],
        "env": [*others, *({"name": key, "value": value} for key, value in environment.items())],
        "args": ["/bin/sh", "-c", SCRIPT, "sh", PROBE, *container["args"]],
        "terminationMessagePolicy": "File",
    }
