"""A manifest without its secrets.  Pure."""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[secret]"

_SECRET_NAME = re.compile(r"(?i)token|secret|passw|credential|private|api_?key|access_?key|auth_?state")
_SECRET_IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s@]+@")


def redacted(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """*manifest* with `HIDDEN` for the values of variables that look secret, and for passwords in URLs."""
    return {key: _hidden(value) for key, value in manifest.items()}


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        if isinstance(value.get("name"), str) and "value" in value and _SECRET_NAME.search(value["name"]):
            return {**value, "value": HIDDEN}
        return {key: _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    if isinstance(value, str):
        return _SECRET_IN_URL.sub(rf"\g<scheme>:{HIDDEN}@", value)
    return value
