"""What a failed test leaves to look at: pods, events and logs of the namespace, without its secrets."""

import base64
import re

from .cluster import NAMESPACE, get, run

Section = tuple[str, str]

_TOKEN = re.compile(r"(?i)((?:token|cookie|password|secret|_xsrf)[\"']?(?:=|: ?|%3D)[\"']?)[^\s\"'&,;]{6,}")


def sections() -> list[Section]:
    """Each with its title; a look that itself fails says so in place of what it would have shown."""
    pods = _look("get", "pods", "--output", "name").split()
    return [
        ("pods", _look("get", "pods", "--output", "wide")),
        ("events", _look("get", "events", "--sort-by=.metadata.creationTimestamp")),
        *(
            (f"log of {pod}", _redacted(_look("logs", pod, "--all-containers", "--prefix", "--tail=150")))
            for pod in pods
        ),
    ]


def _look(*arguments: str) -> str:
    try:
        return run("kubectl", "--namespace", NAMESPACE, "--request-timeout=20s", *arguments)
    except AssertionError as error:
        return str(error)


def _redacted(text: str) -> str:
    for secret in _secrets():
        text = text.replace(secret, "[secret]")
    return _TOKEN.sub(r"\1[secret]", text)


def _secrets() -> list[str]:
    values = [value for secret in get("secrets")["items"] for value in secret.get("data", {}).values()]
    decoded = [base64.b64decode(value).decode("utf-8", "ignore").strip() for value in values]
    return [value for value in decoded if len(value) >= 8]
