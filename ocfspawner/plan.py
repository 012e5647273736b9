"""Everything that OCFSpawner adds to a pod, as one value.

`plan_server` is total and deterministic: the same account, home and resources give the same plan, and
there is nothing left that could be refused.  Pure: volumes and mounts are written as Kubernetes spells
them, and `ocfspawner.pod` puts them into a pod.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ocfspawner.account import Account, Group
from ocfspawner.home import Home
from ocfspawner.resources import NODE_LABEL, SHARED_MEMORY, Resources

HOME_VOLUME = "home"
IDENTITY_VOLUME = "identity"
RUNTIME_VOLUME = "runtime"
SHARED_MEMORY_VOLUME = "shm"

ANNOTATION_PREFIX = "ocfspawner.ocf.io"
PASSWD_ANNOTATION = f"{ANNOTATION_PREFIX}/passwd"
GROUP_ANNOTATION = f"{ANNOTATION_PREFIX}/group"
RESOURCES_ANNOTATION = f"{ANNOTATION_PREFIX}/resources"

MAX_NFS_GROUPS = 16
"""Supplementary groups that NFS with sys security carries (RFC 5531, appendix A: ``gids<16>``)."""

Manifest = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What a pod needs to be this person's server."""

    account: Account
    home: Home
    resources: Resources
    shell: str
    """A shell that the image has."""

    check_image: str
    """Image of the container that looks at the home first: the administrator's, never a profile's."""

    @property
    def runtime_dir(self) -> str:
        """Where Jupyter keeps sockets and tokens: not in the home, which may be full."""
        return f"/run/user/{self.account.uid}"

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables, free of anything that Kubernetes would expand."""
        return {
            "HOME": self.home.path,
            "USER": self.account.username,
            "LOGNAME": self.account.username,
            "SHELL": self.shell,
            "XDG_RUNTIME_DIR": self.runtime_dir,
            "JUPYTER_RUNTIME_DIR": f"{self.runtime_dir}/jupyter",
            "JUPYTERHUB_ROOT_DIR": self.home.notebook_dir,
        }

    @property
    def annotations(self) -> Mapping[str, str]:
        """The pod's passwd(5) and group(5), and where each resource comes from."""
        return {
            PASSWD_ANNOTATION: self._passwd(),
            GROUP_ANNOTATION: _group_file(self.account.username, self.account.groups),
            RESOURCES_ANNOTATION: "\n".join(self.resources.describe()),
        }

    @property
    def pod_security_context(self) -> Manifest:
        """Identity and confinement for every container of the pod.

        No fsGroup: a CSI driver may give the whole share to that group.
        """
        return {
            "runAsUser": self.account.uid,
            "runAsGroup": self.account.gid,
            "runAsNonRoot": True,
            "supplementalGroups": list(self.account.supplemental_gids),
            "seccompProfile": {"type": "RuntimeDefault"},
        }

    @property
    def container_security_context(self) -> Manifest:
        """Repeats the identity, so that no container's own settings can differ from the pod's."""
        return {
            "runAsUser": self.account.uid,
            "runAsGroup": self.account.gid,
            "runAsNonRoot": True,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }

    @property
    def volumes(self) -> Sequence[Manifest]:
        """The pod's volumes: the home, the user's names, a place for run-time files."""
        return (
            {"name": HOME_VOLUME, **self.home.source},
            {
                "name": IDENTITY_VOLUME,
                "downwardAPI": {
                    "items": [
                        {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}
                        for path, annotation in (("passwd", PASSWD_ANNOTATION), ("group", GROUP_ANNOTATION))
                    ]
                },
            },
            {"name": RUNTIME_VOLUME, "emptyDir": {"sizeLimit": "64Mi"}},
            *(
                {"name": SHARED_MEMORY_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": size}}
                for size in self._shared_memory
            ),
        )

    @property
    def mounts(self) -> Sequence[Manifest]:
        """Where the notebook container sees them."""
        home: dict[str, object] = {"name": HOME_VOLUME, "mountPath": self.home.path}
        if self.home.sub_path:
            home["subPath"] = self.home.sub_path
        return (
            home,
            {"name": RUNTIME_VOLUME, "mountPath": self.runtime_dir},
            *(
                {"name": IDENTITY_VOLUME, "mountPath": f"/etc/{name}", "subPath": name, "readOnly": True}
                for name in ("passwd", "group")
            ),
            *({"name": SHARED_MEMORY_VOLUME, "mountPath": "/dev/shm"} for _ in self._shared_memory),
        )

    @property
    def container_resources(self) -> Manifest:
        """Requests and limits, exactly as decided."""
        requests, limits = self.resources.requests_and_limits()
        return {"requests": requests, "limits": limits}

    @property
    def node_selector(self) -> Mapping[str, str]:
        """Labels that the node must have."""
        return self.resources.beginning(NODE_LABEL)

    @property
    def tolerations(self) -> Sequence[Manifest]:
        """Taints that the pod tolerates."""
        return [
            {
                "key": toleration.key,
                "operator": "Equal" if toleration.value else "Exists",
                **({"value": toleration.value} if toleration.value else {}),
                **({"effect": toleration.effect} if toleration.effect else {}),
            }
            for toleration in self.resources.tolerations
        ]

    @property
    def _shared_memory(self) -> Sequence[str]:
        """The size of /dev/shm, if one was decided; else the container runtime's 64 MiB."""
        decided = self.resources.decided.get(SHARED_MEMORY)
        return [str(decided.value)] if decided else []

    def _passwd(self) -> str:
        account = self.account
        return (
            "root:x:0:0:root:/root:/usr/sbin/nologin\n"
            f"{account.username}:x:{account.uid}:{account.gid}::{self.home.path}:{self.shell}\n"
            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        )


def plan_server(
    account: Account, home: Home, resources: Resources, shells: Sequence[str], check_image: str
) -> ServerPlan:
    """The plan for *account*'s server.

    *shells* are the shells that the image has, the preferred one first; the account's own is used when
    it is among them.
    """
    shell = account.shell if account.shell in shells else shells[0]
    return ServerPlan(account=account, home=home, resources=resources, shell=shell, check_image=check_image)


def _group_file(username: str, groups: Sequence[Group]) -> str:
    lines = (f"{group.name}:x:{group.gid}:{username}" for group in groups)
    return "\n".join(("root:x:0:", *lines, "nogroup:x:65534:")) + "\n"
