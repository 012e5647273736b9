"""What is wrong with a pod, in one sentence, and what to do about it.  Pure.

Pods and events are as the API server sends them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocfspawner import home_check
from ocfspawner.cli.cluster import ApiRefused
from ocfspawner.errors import HomeMissing, HomeNotOwned, Refusal
from ocfspawner.plan import ServerPlan
from ocfspawner.resources import BOUNDS, EXTRA, MEMORY_LIMIT, Decided

Object = Mapping[str, Any]

_PATIENCE_SCHEDULING, _PATIENCE_MOUNTING, _PATIENCE_SANDBOX = 5.0, 20.0, 20.0
"""Seconds for what may still come right: a node that is about to be free, a file server that is slow."""

_BAD_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_BAD_CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong."""

    reason: str
    """A word for programs."""

    sentence: str
    cure: str


CURES: Mapping[str, str] = {
    "directory-unreachable": "Is the address right, is the directory up, may the Hub's pod reach it?",
    "directory-untrusted": "Renew the certificate, or set c.LDAPDirectory.ca_file.",
    "directory-failed": "Look at the bases, and at the rights of bind_dn.",
    "no-such-account": "Look at the spelling; c.LDAPDirectory.people_base says where people are looked for.",
    "account-disabled": "Enable it in the directory, if it should be.",
    "entry-malformed": "Correct the entry in the directory.",
    "home-unusable": "Correct homeDirectory in the directory, or c.OCFSpawner.homes.",
    "policy-invalid": "Correct the lines that are named.",
    "pod-refused": "Look at volumes, containers and security settings in profiles and in KubeSpawner's settings.",
    "misconfigured": "Correct the setting that is named.",
    "no-cluster": "Run it in the Hub's pod, or with a kubeconfig.",
}
"""What helps against a refusal, by its reason."""


def would_be_refused(refused: Refusal) -> Finding:
    """What is wrong when the Hub would refuse the start."""
    sentence = refused.admin_text[:1].upper() + refused.admin_text[1:]
    return Finding(refused.reason, f"{sentence.rstrip('.')}.", CURES.get(refused.reason, ""))


def creation_refused(refused: ApiRefused) -> Finding:
    """Why the API server would not even create the pod."""
    text = refused.message
    for pattern, reason, sentence, cure in _REFUSALS:
        if re.search(pattern, text):
            return Finding(reason, f"{sentence}: {_tail(text)}", cure)
    return Finding(
        "api-refused",
        f"The API server refuses the pod ({refused.http_status} {refused.cause}): {text}",
        "Compare `ocfspawner manifest` with what the cluster demands.",
    )


_REFUSALS = (
    (
        r"exceeded quota|failed quota",
        "quota",
        "The namespace's ResourceQuota has no room for this pod",
        "Raise the quota, stop servers, or lower the guarantees in the policy.",
    ),
    (
        r"(?i)violates PodSecurity",
        "pod-security",
        "The namespace's Pod Security level forbids this pod",
        "Look for extra containers, volumes or security settings in profiles and KubeSpawner.extra_*.",
    ),
    (
        r"(minimum|maximum) .* usage per|limit to request ratio",
        "limit-range",
        "The namespace's LimitRange forbids these resources",
        "Bring policy and LimitRange together.",
    ),
    (
        r"admission webhook|ValidatingAdmissionPolicy|denied request|denied the request",
        "admission",
        "An admission rule of the cluster forbids this pod",
        "Ask those who run the cluster about the rule that is named.",
    ),
    (
        r"cannot create resource",
        "rights",
        "We may not create pods here",
        "Run it in the Hub's pod, or see `ocfspawner check`.",
    ),
    (
        r"(?i)unknown field|is invalid|strict decoding",
        "pod-invalid",
        "The pod is not valid",
        "Look for the field in profiles, KubeSpawner.extra_pod_config and extra_container_config.",
    ),
)


def look(plan: ServerPlan, pod: Object, events: Sequence[Object], waited: float) -> Finding | None:
    """What is wrong for good; ``None`` while it may come right.  *waited* is in seconds since the creation."""
    for question in _QUESTIONS:
        found = question(plan, pod, events, waited)
        if found:
            return found
    return None


def out_of_time(pod: Object | None, events: Sequence[Object], phase: str, seconds: float) -> Finding:
    """It did not come in time; *phase* is what was waited for."""
    warnings = [str(event.get("message", "")) for event in events if event.get("type") == "Warning"]
    last = f" The last warning: {_tail(warnings[-1])}" if warnings else ""
    state = f" (the pod is {pod['status'].get('phase')})" if pod else ""
    return Finding(
        "timeout",
        f"After {seconds:g} s it was still waiting for: {phase}{state}.{last}",
        "Give it more time with --timeout, or look at the events above.",
    )


def crashed(plan: ServerPlan, status: int | str, last_lines: Sequence[str]) -> Finding:
    """The server ended by itself."""
    if str(status) in ("-9", "137"):
        return _out_of_memory(plan)
    said = next((line for line in reversed(last_lines) if line.strip()), "nothing")
    return Finding(
        "crashed",
        f"The server ended with status {status}; its last words: {said[:300]}",
        "Read the log above. The image needs the command that KubeSpawner.cmd names.",
    )


# -- questions -------------------------------------------------------------------------------


def _home(plan: ServerPlan, pod: Object, events: Sequence[Object], waited: float) -> Finding | None:
    refused = home_check.refusal(plan, pod, lambda: events)
    if refused is None:
        return None
    account = plan.account
    cures = {
        HomeMissing: f"Make {account.home} on the file server, owned by {account.uid}:{account.gid}.",
        HomeNotOwned: f"Give {account.home} to {account.uid}:{account.gid} on the file server.",
    }
    cure = cures.get(type(refused), f"Look at {account.home} on the file server; homeDirectory may be wrong.")
    return Finding(refused.reason, f"The {refused.admin_text}.", cure)


def _image(plan: ServerPlan, pod: Object, events: Sequence[Object], waited: float) -> Finding | None:
    for container in _containers(pod):
        waiting = container["state"].get("waiting") or {}
        if waiting.get("reason") in _BAD_IMAGE:
            image = container["image"]
            said = next(
                (m for m in _messages(events, "Failed") if image in m and ":" in m), waiting.get("message", "")
            )
            return Finding(
                "image",
                f"The image {image} can't be pulled ({waiting['reason']}): {_tail(said)}",
                "Look for a typing error in the name and tag, and at KubeSpawner.image_pull_secrets.",
            )
    return None


def _scheduling(plan: ServerPlan, pod: Object, events: Sequence[Object], waited: float) -> Finding | None:
    condition = _condition(pod, "PodScheduled")
    if condition.get("reason") != "Unschedulable" or waited < _PATIENCE_SCHEDULING:
        return None
    if any(event.get("reason") == "TriggeredScaleUp" for event in events):
        return None
    message = str(condition.get("message", ""))
    short = re.findall(r"Insufficient ([\w./-]*\w)", message)
    if short:
        asked = " and ".join(_guarantee(plan, name) for name in dict.fromkeys(short))
        return Finding(
            "unschedulable",
            f"No node has room for {asked}.",
            f"Lower it, stop servers, or add a node. The scheduler says: {_tail(message)}",
        )
    return Finding(
        "unschedulable",
        f"No node takes this pod: {_tail(message)}",
        "Look at node_selector and tolerations (`ocfspawner explain`), and at the nodes' taints.",
    )


def _guarantee(plan: ServerPlan, name: str) -> str:
    """What the pod asks of *name*, and who decided it; a limit without a guarantee is one too."""
    names = next((pair for pair in BOUNDS if pair[0].startswith(f"{name} ")), (f"{EXTRA}{name}",))
    decided: Decided | None = next((plan.resources.decided[n] for n in names if n in plan.resources.decided), None)
    return f"{decided.text} of {name} (decided by {decided.origin})" if decided else name


def _mounting(plan: ServerPlan, pod: Object, events: Sequence[Object], waited: float) -> Finding | None:
    messages = [*_messages(events, "FailedMount"), *_messages(events, "FailedAttachVolume")]
    if not messages or waited < _PATIENCE_MOUNTING or _started(pod):
        return None
    return Finding(
        "mount",
        f"A volume can't be mounted: {_tail(messages[-1])}",
        "Is the file server up, does it export to this node, and is the path right?",
    )


def _sandbox(plan: ServerPlan, pod: Object, events: Sequence[Object], waited: float) -> Finding | None:
    messages = list(_messages(events, "FailedCreatePodSandBox"))
    if not messages or waited < _PATIENCE_SANDBOX or _started(pod):
        return None
    return Finding(
        "sandbox", f"The node can't make the pod: {_tail(messages[-1])}", "Look at the node and its network."
    )


def _container(plan: ServerPlan, pod: Object, events: Sequence[Object], waited: float) -> Finding | None:
    for container in _containers(pod):
        waiting = container["state"].get("waiting") or {}
        if waiting.get("reason") in _BAD_CONTAINER:
            return Finding(
                "container",
                f"The container {container['name']} can't be started ({waiting['reason']}): "
                f"{_tail(waiting.get('message', ''))}",
                "A Secret or ConfigMap that is named may be missing, or the image may lack /bin/sh.",
            )
        ended = container["state"].get("terminated") or {}
        if ended.get("reason") == "OOMKilled":
            return _out_of_memory(plan)
        if ended.get("reason") in ("StartError", "ContainerCannotRun"):
            return Finding(
                "container",
                f"The container {container['name']} can't be started: {_tail(ended.get('message', ''))}",
                "The image may lack /bin/sh.",
            )
    return None


def _evicted(plan: ServerPlan, pod: Object, events: Sequence[Object], waited: float) -> Finding | None:
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and status.get("reason"):
        return Finding(
            "evicted",
            f"The node gave the pod up ({status['reason']}): {_tail(status.get('message', ''))}",
            "Look at the node: memory, disk, or a shutdown.",
        )
    return None


Question = Callable[[ServerPlan, Object, Sequence[Object], float], Finding | None]
_QUESTIONS: tuple[Question, ...] = (_home, _image, _container, _scheduling, _mounting, _sandbox, _evicted)


def _out_of_memory(plan: ServerPlan) -> Finding:
    limit = plan.resources.decided.get(MEMORY_LIMIT)
    what = f"the memory limit of {limit.text} (decided by {limit.origin})" if limit else "the node's memory"
    return Finding(
        "out-of-memory", f"The server was killed because it needed more than {what}.", "Raise the limit in the policy."
    )


# -- reading ---------------------------------------------------------------------------------


def _containers(pod: Object) -> Iterator[Object]:
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            yield {**container, "state": container.get("state") or {}}


def _started(pod: Object) -> bool:
    return any("waiting" not in container["state"] and container["state"] for container in _containers(pod))


def _condition(pod: Object, kind: str) -> Object:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _messages(events: Sequence[Object], reason: str) -> Iterator[str]:
    return (str(event.get("message", "")) for event in events if event.get("reason") == reason)


def _tail(text: object) -> str:
    """On one line, and not longer than people read."""
    line = " ".join(str(text).split())
    return line if len(line) <= 500 else f"{line[:500]}…"
