"""Values that the unit tests share: entries, accounts, a directory that behaves."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from kubernetes_asyncio.client import ApiClient
from kubernetes_asyncio.client.models import V1Pod

from ocfspawner.account import Account, Entry, Group
from ocfspawner.directory.client import Answer, Source
from ocfspawner.errors import LoginRefused, NoSuchAccount, Refusal
from ocfspawner.home import ClaimHomes, HomeVolume
from ocfspawner.plan import ServerPlan, plan_server
from ocfspawner.resources import Resources
from ocfspawner.traits import RESOURCE_TRAITS

GSTAFF = Account(
    username="gstaff",
    uid=12903,
    gid=1000,
    groups=(Group("ocf", 1000), Group("ocfstaff", 1002)),
    home="/home/g/gs/gstaff",
    shell="/bin/bash",
)


def account(**changes: Any) -> Account:
    """gstaff, with *changes*."""
    return replace(GSTAFF, **changes)


def entry(**attributes: Any) -> Entry:
    """An entry as the directory's client hands it over; a list is several values, ``None`` is none."""
    return {name.lower(): _values(value) for name, value in attributes.items() if value is not None}


def person(**changes: Any) -> Entry:
    """gstaff's entry, with *changes*."""
    attributes: dict[str, Any] = {
        "uid": "gstaff",
        "uidNumber": 12903,
        "gidNumber": 1000,
        "homeDirectory": "/home/g/gs/gstaff",
        "loginShell": "/bin/bash",
    }
    return entry(**{**attributes, **changes})


def group(name: Any, gid: Any) -> Entry:
    """The entry of a group."""
    return entry(cn=name, gidNumber=gid)


def plan(homes: HomeVolume | None = None, notebook_dir: str = "~", **changes: Any) -> ServerPlan:
    """The plan for gstaff, with *changes* to the account."""
    someone = account(**changes)
    home = (homes or ClaimHomes()).home_of(someone, notebook_dir)
    return plan_server(someone, home, Resources(), ["/bin/bash", "/bin/sh"], "check:1")


def manifest(pod: V1Pod) -> dict[str, Any]:
    """*pod* as the API server gets it."""
    # Without __init__: a client opens a session.
    sent: dict[str, Any] = ApiClient.__new__(ApiClient).sanitize_for_serialization(pod)
    return sent


class Traits(SimpleNamespace):
    """The traits of a KubeSpawner that have to do with resources."""

    def __init__(self, **changes: Any) -> None:
        extra: dict[str, Any] = {"extra_resource_guarantees": {}, "extra_resource_limits": {}}
        super().__init__(**{**dict.fromkeys(RESOURCE_TRAITS), **extra, **changes})


class FakeDirectory:
    """Behaves as `ocfspawner.directory.client.Directory` does, or raises what it is told to."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = {account.username: account for account in accounts}
        self.password = "right"
        self.failure: Refusal | None = None
        self.closed = False

    async def lookup(self, username: str) -> Answer:
        if self.failure:
            raise self.failure
        if username not in self.accounts:
            raise NoSuchAccount(username)
        return Answer(self.accounts[username], Source.DIRECTORY, 0.0, "ldap.example:636")

    async def authenticate(self, username: str, password: str) -> Account:
        found = await self.lookup(username)
        if password != self.password:
            raise LoginRefused(username, "the directory refused the password")
        return found.account

    async def usernames(self) -> Sequence[str]:
        if self.failure:
            raise self.failure
        return sorted(self.accounts)

    def close(self) -> None:
        self.closed = True


class Clock:
    """Tells the time that a test sets."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def _values(value: Any) -> tuple[bytes, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(one if isinstance(one, bytes) else str(one).encode() for one in values)
