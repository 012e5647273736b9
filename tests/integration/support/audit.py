"""What the API server wrote down of the Hub's calls: ci/audit/policy.yaml says what, ci/cluster that it does."""

import json
from dataclasses import dataclass

from .cluster import on_node


@dataclass(frozen=True)
class Call:
    """A request of the Hub's ServiceAccount."""

    time: str
    """When it began, in RFC 3339, so that later ones are greater."""

    verb: str
    resource: str
    """With its group and subresource, such as ``pods/log`` or ``apps/deployments``."""

    allowed: bool
    reason: str
    """By which Role it was allowed, in the API server's words."""


def calls() -> list[Call]:
    """Since the cluster was made; what others did in the Hub's name (``--as``) is not among them."""
    lines = on_node("cat", "/var/log/kubernetes/audit.log").splitlines()
    events = [json.loads(line) for line in lines]
    return [_call(event) for event in events if "objectRef" in event]


def _call(event: dict[str, object]) -> Call:
    asked: dict[str, str] = event["objectRef"]  # type: ignore[assignment]
    judged: dict[str, str] = event.get("annotations", {})  # type: ignore[assignment]
    parts = (asked.get("apiGroup"), asked["resource"], asked.get("subresource"))
    return Call(
        time=str(event["requestReceivedTimestamp"]),
        verb=str(event["verb"]),
        resource="/".join(part for part in parts if part),
        allowed=judged.get("authorization.k8s.io/decision") == "allow",
        reason=judged.get("authorization.k8s.io/reason", ""),
    )
