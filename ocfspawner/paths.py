"""Judging absolute paths as text; nothing here looks at a file system."""

import posixpath
import re

_PLAIN = re.compile(r"(/[A-Za-z0-9_@+.,=-]+)+")

SYSTEM_PATHS = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var")
"""Directories of a container that a home must not hide."""


def is_plain(path: str) -> bool:
    """Whether *path* is absolute, normalised and made of plain characters.

    Plain: no space, no colon (mount paths forbid it), no brace (KubeSpawner's templates), no dollar, no
    control character, no ``..``.
    """
    return bool(_PLAIN.fullmatch(path)) and posixpath.normpath(path) == path


def is_below(path: str, directory: str) -> bool:
    """Whether *path* lies below *directory* and is not the directory itself."""
    return path.startswith(f"{directory}/")


def is_system_path(path: str) -> bool:
    """Whether *path* is one of `SYSTEM_PATHS` or below one."""
    return any(path == system or is_below(path, system) for system in SYSTEM_PATHS)
