"""Proxy and Hub restart, are upgraded and rolled back, and people's kernels live through it."""

import time
from pathlib import Path

from .support import cluster, parts
from .support.hub import Api
from .support.lasting import routed, same_process
from .support.notebook import Kernel
from .support.people import Person
from .support.waiting import wait_for


def test_a_new_proxy_has_all_routes_and_kernels_live(api: Api, guser: Person, kernel: Kernel) -> None:
    with same_process(kernel, guser):
        parts.delete_pod(parts.PROXY, "--wait=true")
        parts.rolled_out(parts.PROXY)
        routed(api, guser)
        assert guser.browser.get("/hub/home").url == f"{api.url}/hub/home", "still logged in"


def test_a_notebook_goes_on_while_there_is_no_hub(api: Api, guser: Person, kernel: Kernel) -> None:
    with same_process(kernel, guser):
        parts.scale(parts.HUB, 0)
        try:
            assert api.call("GET", "/user").status_code == 503
            for number in range(10):
                assert kernel.run(f"print({number} + kept)").strip() == str(number + 42)
                time.sleep(0.5)
            assert not parts.pods(parts.HUB)
        finally:
            parts.scale(parts.HUB, 1)
            parts.rolled_out(parts.HUB)
        routed(api, guser)


UPGRADE = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: jupyterhub
resources:
  - {overlay}
configMapGenerator:
  - name: settings
    behavior: merge
    literals:
      - NAMED_SERVER_LIMIT=4
patches:
  - target:
      kind: Deployment
      name: proxy
    patch: |-
      - op: add
        path: /spec/template/spec/containers/0/args/-
        value: --log-level=warn
"""
"""Another setting for the Hub, another option for the proxy: both get new pods."""


def test_an_upgrade_and_a_rollback_with_servers_running(
    api: Api, guser: Person, kernel: Kernel, tmp_path: Path
) -> None:
    overlay = parts.overlay()
    here = Path(*[".."] * (len(tmp_path.parts) - 1)) / overlay.relative_to("/")
    (tmp_path / "kustomization.yaml").write_text(UPGRADE.format(overlay=here))
    with same_process(kernel, guser):
        try:
            _applied(tmp_path)
            routed(api, guser)
            assert _limit() == "4"
        finally:
            _applied(overlay)
        routed(api, guser)
        assert _limit() == ""
        assert guser.browser.get("/hub/home").url == f"{api.url}/hub/home", "still logged in"


def _applied(folder: Path) -> None:
    before = {part: parts.pods(part) for part in (parts.HUB, parts.PROXY)}
    parts.apply(folder)
    for part, pods in before.items():
        parts.rolled_out(part)
        wait_for(f"a new pod of {part}", lambda part=part, pods=pods: not pods.keys() & parts.pods(part).keys())  # type: ignore[misc]


def _limit() -> str:
    return cluster.kubectl("exec", parts.HUB, "--", "sh", "-c", "echo $NAMED_SERVER_LIMIT").strip()
