"""Exit codes: every way out of a command leads through `exit_status`.

0 fine, 1 refused or unhealthy, 2 wrong usage, 3 a bug of ours, 130 interrupted.
"""

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from ocfspawner.errors import Refusal

FINE, REFUSED, USAGE, BUG, INTERRUPTED = 0, 1, 2, 3, 130

_VERSIONS = ("ocfspawner", "jupyterhub", "jupyterhub-kubespawner", "kubernetes-asyncio", "ldap3", "click")


@dataclass
class Status:
    """How a command ended."""

    code: int = FINE


class Unhealthy(Exception):
    """The command has said all there is to say; its exit status is 1."""


@contextmanager
def exit_status() -> Iterator[Status]:
    """Turn whatever a command raises into a few words on standard error and an exit code.

    A mistake of the user's never shows a traceback; a bug of ours is written to a file, whole.
    """
    status = Status()
    try:
        yield status
    except click.ClickException as error:
        error.show()
        status.code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        status.code = INTERRUPTED
    except click.exceptions.Exit as ended:
        status.code = ended.exit_code
    except Unhealthy:
        status.code = REFUSED
    except Refusal as refused:
        _say(f"{refused.reason}: {refused.admin_text}")
        status.code = REFUSED
    except BrokenPipeError:
        # Whoever read this has gone; closed here, so that Python does not complain about it at its end.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status.code = REFUSED
    except Exception as error:
        _report(error)
        status.code = BUG


def _say(text: str) -> None:
    with suppress(OSError):
        click.echo(text, err=True)


def _report(error: Exception) -> None:
    """Name the versions, and write the traceback where it can be picked up."""
    found = ", ".join(_version(package) for package in _VERSIONS)
    _say(f"This is a bug in ocfspawner: {type(error).__name__}: {str(error)[:300]}")
    _say(f"{found}, Python {platform.python_version()}")
    text = f"{found}\n{sys.argv}\n\n{''.join(traceback.format_exception(error))}"
    try:
        descriptor, name = tempfile.mkstemp(prefix="ocfspawner-", suffix=".log")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        _say(f"The traceback is in {Path(name)}; please report it with that.")
    except OSError:
        _say(text)


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} not installed"
