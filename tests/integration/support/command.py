"""``ocfspawner`` in the Hub's pod, as an administrator runs it: kubectl exec deploy/hub -- ocfspawner …"""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from . import cluster

FINE, REFUSED, INTERRUPTED = 0, 1, 130
SECONDS = 180


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def in_hub(*command: str, stdin: str | None = None) -> Ended:
    exec_ = [
        "kubectl",
        "--namespace",
        cluster.NAMESPACE,
        "exec",
        *(["--stdin"] if stdin else []),
        "deployment/hub",
        "--",
    ]
    done = subprocess.run(
        [*exec_, *command], input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def ocfspawner(*arguments: str) -> Ended:
    return in_hub("ocfspawner", *arguments)
