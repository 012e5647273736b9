"""A Hub with other settings for a while: one restart to get there, one to get back."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .cluster import get, kubectl
from .hub import Api
from .waiting import wait_for

CONFIG_MAP = "settings-of-a-test"


def drop_ins() -> dict[str, str]:
    """The files of jupyterhub_config.d as they are now."""
    volumes = get("deployment", "hub")["spec"]["template"]["spec"]["volumes"]
    (name,) = (volume["configMap"]["name"] for volume in volumes if volume["name"] == "site")
    return dict(get("configmap", name).get("data", {}))


@contextmanager
def reconfigured(api: Api, environment: Mapping[str, str], files: Mapping[str, str]) -> Iterator[None]:
    """The Hub with *environment* over its own, and *files* in the place of its drop-in folder's."""
    kubectl("create", "configmap", CONFIG_MAP, *(f"--from-literal={name}={text}" for name, text in files.items()))
    container = {"name": "hub", "env": [{"name": name, "value": value} for name, value in environment.items()]}
    volume = {"name": "site", "configMap": {"name": CONFIG_MAP}}
    change = {"spec": {"template": {"spec": {"containers": [container], "volumes": [volume]}}}}
    try:
        kubectl("patch", "deployment", "hub", f"--patch={json.dumps(change)}")
        _settled(api)
        yield
    finally:
        kubectl("rollout", "undo", "deployment/hub")
        _settled(api)
        kubectl("delete", "configmap", CONFIG_MAP)


def _settled(api: Api) -> None:
    kubectl("rollout", "status", "deployment/hub", "--timeout=180s", timeout=190)
    wait_for("the Hub to answer through the proxy", lambda: api.call("GET", "/").ok)
