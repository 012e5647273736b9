"""Asking the API server as somebody else: what it admits, and in which words it refuses."""

import json
import subprocess
from typing import Any

import yaml

from .cluster import NAMESPACE, get, kubectl, run

Manifest = dict[str, Any]


def account(name: str, namespace: str = NAMESPACE) -> str:
    """The user name of a ServiceAccount."""
    return f"system:serviceaccount:{namespace}:{name}"


def asked(who: str, *arguments: str, stdin: str | None = None, namespace: str = NAMESPACE) -> str:
    """Why *who* may not do this; empty when it is done.  Impersonation goes all the way that a real request goes."""
    groups = ("system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{who.split(':')[2]}")
    command = ["kubectl", f"--namespace={namespace}", f"--as={who}", *(f"--as-group={group}" for group in groups)]
    done = subprocess.run([*command, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)
    return done.stderr.strip() if done.returncode else ""


def refusal(manifest: Manifest, who: str, namespace: str = NAMESPACE, verb: str = "create") -> str:
    """Why the API server would not take *manifest* from *who*; empty when it would."""
    return asked(who, verb, "--dry-run=server", "--filename=-", stdin=json.dumps(manifest), namespace=namespace)


def apply(*manifests: Manifest) -> None:
    kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(manifests))


def servers_manifest(username: str) -> Manifest:
    """The pod that the Hub would make for somebody, as ``ocfspawner manifest`` shows it."""
    command = ("exec", "deployment/hub", "--", "ocfspawner", "manifest", username, "--output", "json")
    manifest: Manifest = json.loads(run("kubectl", "--namespace", NAMESPACE, *command))
    return manifest


def role(name: str, *rules: Manifest, namespace: str = NAMESPACE, to: str) -> tuple[Manifest, Manifest]:
    """A Role and its binding to the ServiceAccount *to*."""
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name, "namespace": namespace}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": to, "namespace": namespace}
    return (
        {**kind, "kind": "Role", "rules": list(rules)},
        {**kind, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
    )


def allow(group: str, resources: list[str], *verbs: str) -> Manifest:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


def image() -> str:
    """The image that servers have by SINGLEUSER_IMAGE."""
    (container,) = get("deployment", "hub")["spec"]["template"]["spec"]["containers"]
    (settings,) = (source["configMapRef"]["name"] for source in container["envFrom"])
    setting: str = get("configmap", settings)["data"]["SINGLEUSER_IMAGE"]
    return setting
