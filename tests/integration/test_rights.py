"""The Role of the Hub: what is granted is used, and what is used is granted, by the API server's own audit log."""

from .conftest import Newcomers
from .support import cluster
from .support.audit import Call, calls
from .support.hub import Api
from .support.waiting import wait_for

ROLE = 'of Role "hub" '


def granted() -> set[tuple[str, str]]:
    rules = cluster.get("role", "hub")["rules"]
    return {
        (verb, f"{group}/{resource}".lstrip("/"))
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used() -> set[tuple[str, str]]:
    """By this Role alone: not what every account may (ask for its own rights), nor what a test granted besides."""
    return {(call.verb, call.resource) for call in calls() if call.allowed and ROLE in call.reason}


def in_hub(*command: str) -> None:
    cluster.run("kubectl", "--namespace", cluster.NAMESPACE, "exec", "deployment/hub", "--", *command, timeout=180)


def test_every_right_is_used_and_none_is_missing(api: Api, newcomers: Newcomers) -> None:
    """By a server that is started and stopped, and by each command that speaks to the API server."""
    name = newcomers("user").name
    api.add_user(name)
    api.started(name)
    for command in (
        f"spawn {name}",
        "check",
        f"manifest {name} --diff",
        f"manifest {name} --dry-run",
        "simulate --all",
    ):
        in_hub("ocfspawner", *command.split())
    api.stop(name)
    wait_for("each right to be used", lambda: used() == granted())
    denied: list[Call] = [call for call in calls() if not call.allowed]
    assert denied == [], "since the cluster was made, the Hub has asked for what it may not do"


def test_the_hub_may_not_do_what_the_role_leaves_out() -> None:
    """So the comparison above is one with something that is enforced."""
    for right in ("get secrets", "patch pods", "create pods --subresource=exec", "create persistentvolumeclaims"):
        asked = ("auth", "can-i", *right.split(), "--as=system:serviceaccount:jupyterhub:hub")
        answer = cluster.run("kubectl", "--namespace", cluster.NAMESPACE, *asked, check=False)
        assert answer.strip() == "no", right
