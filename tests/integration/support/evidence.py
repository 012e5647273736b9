"""What a failed test leaves to look at: pods, events and logs of the namespace, without its secrets."""

import base64
import re
import subprocess

from .cluster import NAMESPACE, get, run

Section = tuple[str, str]

_TOKEN = re.compile(r"(?i)((?:token|cookie|password|secret|_xsrf)[\"']?(?:=|: ?|%3D)[\"']?)[^\s\"'&,;]{6,}")


def sections() -> list[Section]:
    """Each with its title; a cluster that can't be asked any more is a finding too."""
    try:
        secrets = _secrets()
        pods = [f"pod/{pod['metadata']['name']}" for pod in get("pods")["items"]]
        return [
            ("pods", _look("get", "pods", "--output", "wide")),
            ("events", _last(80, _look("get", "events", "--sort-by=.metadata.creationTimestamp"))),
            *((f"log of {pod}", _redacted(_log(pod), secrets)) for pod in pods),
        ]
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return [("cluster", str(error))]


def _last(count: int, text: str) -> str:
    return "\n".join(text.splitlines()[-count:])


def _log(pod: str) -> str:
    """Of all its containers, those that look first included."""
    return _look("logs", pod, "--all-containers", "--prefix", "--tail=150")


def _look(*arguments: str) -> str:
    # A pod may be gone by now, which is no reason to leave out the others.
    return run("kubectl", "--namespace", NAMESPACE, "--request-timeout=20s", *arguments, check=False)


def _redacted(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return _TOKEN.sub(r"\1[secret]", text)


def _secrets() -> list[str]:
    values = [value for secret in get("secrets")["items"] for value in secret.get("data", {}).values()]
    decoded = [base64.b64decode(value).decode("utf-8", "ignore").strip() for value in values]
    return [value for value in decoded if len(value) >= 8]
