"""Whole manifests, to be read by people: a change to them is a change to every pod.

Written anew by ``pytest --update-golden``.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ocfspawner.home import ClaimHomes, HomeVolume, NFSHomes

from .hubless import decided, notebook, spawner
from .support import FakeDirectory

_THEIRS = re.compile("JPY_|JUPYTER_IMAGE|JUPYTERHUB_(?!ROOT_DIR)")


@pytest.mark.parametrize(
    ("homes", "name"),
    [
        pytest.param(ClaimHomes(), "gstaff-claim.yaml", id="homes in a claim"),
        pytest.param(NFSHomes(), "gstaff-nfs.yaml", id="homes on a file server"),
    ],
)
async def test_the_pod_of_gstaff(
    directory: FakeDirectory, golden: Callable[[str, str], None], homes: HomeVolume, name: str
) -> None:
    configured = spawner(
        directory,
        homes=homes,
        notebook_dir="~/notebooks",
        cpu_guarantee=0.1,
        mem_guarantee="256M",
        cpu_limit=2,
        mem_limit="1G",
    )
    golden(name, yaml.dump(ours(await decided(configured)), Dumper=Readable, width=119))


def ours(pod: dict[str, Any]) -> dict[str, Any]:
    """*pod* without what JupyterHub and KubeSpawner may say differently in their next version."""
    server, annotations = notebook(pod), pod["metadata"]["annotations"]
    server["env"] = [each for each in server["env"] if not _THEIRS.match(each["name"])]
    kept = {name: value for name, value in annotations.items() if name.startswith("ocfspawner")}
    return {**pod, "metadata": {"annotations": kept}}


class Readable(yaml.SafeDumper):
    """Texts of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Readable.add_representer(str, _text)
