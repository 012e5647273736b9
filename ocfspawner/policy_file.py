"""The policy file, read again when it changes.  A bad change keeps the policy that was in force."""

from dataclasses import dataclass
from logging import Logger
from pathlib import Path

from ocfspawner import metrics
from ocfspawner.errors import PolicyInvalid
from ocfspawner.policy import Policy
from ocfspawner.policy_text import parse_policy


@dataclass(frozen=True, slots=True)
class _Loaded:
    file: Path
    version: tuple[int, int, int]
    policy: Policy


_loaded: dict[str, _Loaded] = {}


def load_policy(path: str, log: Logger) -> Policy:
    """The policy in the file *path*.

    Raises `PolicyInvalid` when there has never been a good one; later mistakes are logged, once for each
    version of the file.
    """
    before = _loaded.get(path)
    file = before.file if before else Path(path)
    try:
        version = _version(file)
        if before and before.version == version:
            return before.policy
        policy = parse_policy(file.read_text(encoding="utf-8"), file.name)
    except (OSError, UnicodeDecodeError) as error:
        if not before:
            raise PolicyInvalid(f"{path}: {error}") from None
        metrics.POLICY_RELOAD_FAILURES.inc()
        log.error("The resource policy can't be read, the last one stays: %s: %s", path, error)
        return before.policy
    except PolicyInvalid as error:
        if not before:
            raise
        metrics.POLICY_RELOAD_FAILURES.inc()
        log.error("The resource policy is not valid, the last one stays:\n%s", error.admin_text)
        policy = before.policy
    _loaded[path] = _Loaded(file, version, policy)
    return policy


def _version(file: Path) -> tuple[int, int, int]:
    # A ConfigMap's files are links that are swapped whole, so the inode tells, even within one second.
    status = file.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size
