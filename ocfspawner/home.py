"""Where a home lies and where it appears.

A `Home` keeps the volume together with its mount, so that the two can't disagree.  The kinds of
storage are small classes that turn an `Account` into a `Home`; a site chooses one in its
configuration.  Volume sources are written as Kubernetes spells them.  Pure: no I/O.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ocfspawner.account import Account
from ocfspawner.errors import ConfigurationError, HomeUnusable
from ocfspawner.paths import is_below, is_plain

VolumeSource = Mapping[str, Mapping[str, object]]
"""A Kubernetes volume without its name, such as ``{"nfs": {"server": …, "path": …}}``."""

_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Home:
    """One person's home, as a pod gets it."""

    path: str
    """Where it appears: mount path, HOME and working directory alike."""

    notebook_dir: str
    """Where Jupyter starts: `path` itself or below it."""

    source: VolumeSource
    """The volume that holds it."""

    sub_path: str = ""
    """Where in the volume it lies; empty when the volume is the home itself."""


class HomeVolume(Protocol):
    """A kind of storage that homes lie on."""

    def home_of(self, account: Account, notebook_dir: str) -> Home:
        """The home of *account*.

        *notebook_dir* is as an administrator writes it: ``~``, ``~/notebooks``, or an absolute path
        inside the home.  Raises `ConfigurationError` for anything else, `HomeUnusable` when the
        account's home does not lie on this storage.
        """


@dataclass(frozen=True, slots=True)
class ClaimHomes:
    """All homes in one ReadWriteMany PersistentVolumeClaim, each mounted by its ``subPath``.

    The only kind that Pod Security *restricted* admits, which allows no inline NFS.
    """

    claim: str = "homes"
    """The claim's name, in the pods' namespace."""

    root: str = "/home"
    """The directory that the top of the volume stands for: with ``/home``, the home
    ``/home/a/al/alice`` lies in the volume at ``a/al/alice``."""

    def __post_init__(self) -> None:
        if not _DNS_NAME.fullmatch(self.claim):
            raise ValueError(f"ClaimHomes: claim {self.claim!r} is not the name of a PersistentVolumeClaim")
        _check_directory("ClaimHomes: root", self.root)

    def home_of(self, account: Account, notebook_dir: str) -> Home:
        """See `HomeVolume.home_of`."""
        if not is_below(account.home, self.root):
            raise HomeUnusable(account.username, account.home, f"it is not below {self.root}")
        return Home(
            path=account.home,
            notebook_dir=_notebook_dir(notebook_dir, account.home),
            source={"persistentVolumeClaim": {"claimName": self.claim}},
            sub_path=account.home.removeprefix(f"{self.root}/"),
        )


@dataclass(frozen=True, slots=True)
class NFSHomes:
    """Each home mounted from an NFS server by its own path.

    Needs a namespace where Pod Security *restricted* is not enforced, and ``KubeSpawner.events_enabled`` if a missing
    home is to be refused before the ``start_timeout``.  Inline NFS volumes carry no mount
    options; where those are needed, use a PersistentVolume of type nfs behind `ClaimHomes`.
    """

    server: str = "homes.ocf.berkeley.edu"
    prefix: str = ""
    """Put before the home's path to get the exported path, such as ``/opt/homes``."""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.server):
            raise ValueError(f"NFSHomes: server {self.server!r} is not a host name or address")
        if self.prefix:
            _check_directory("NFSHomes: prefix", self.prefix)

    def home_of(self, account: Account, notebook_dir: str) -> Home:
        """See `HomeVolume.home_of`."""
        return Home(
            path=account.home,
            notebook_dir=_notebook_dir(notebook_dir, account.home),
            source={"nfs": {"server": self.server, "path": self.prefix + account.home}},
        )


def _check_directory(what: str, path: str) -> None:
    if not is_plain(path):
        raise ValueError(f"{what} {path!r} is not an absolute, normalised path below /")


def _notebook_dir(configured: str, home: str) -> str:
    """*configured* with ``~`` for the home, normalised; empty means the home itself."""
    first, _, rest = configured.partition("/")
    path = f"{home}/{rest}" if first == "~" else configured or home
    path = posixpath.normpath(path)
    if path != home and not is_below(path, home):
        raise ConfigurationError(
            f"notebook_dir {configured!r} is not inside the home {home}: "
            "use ~, ~/a-directory or an absolute path inside the home"
        )
    return path
