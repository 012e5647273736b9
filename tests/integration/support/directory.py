"""The running directory: entries are added and changed in the LDAP pod, as its administrator.

It forgets all this when its pod restarts.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .cluster import kubectl

PEOPLE = "ou=People,dc=OCF,dc=Berkeley,dc=EDU"
GROUPS = "ou=Group,dc=OCF,dc=Berkeley,dc=EDU"
_ADMINISTRATOR = ("-Q", "-Y", "EXTERNAL", "-H", "ldapi://%2Frun%2Fdirectory%2Fldapi")


@dataclass(frozen=True)
class Account:
    """An account as the directory should have it."""

    name: str
    uid: int
    gid: int = 1000
    shell: str = "/bin/bash"

    @property
    def home(self) -> str:
        return f"/home/{self.name[0]}/{self.name[:2]}/{self.name}"

    @property
    def password(self) -> str:
        return f"{self.name}-demo"

    @property
    def dn(self) -> str:
        return f"uid={self.name},{PEOPLE}"

    @property
    def ldif(self) -> str:
        return f"""\
dn: {self.dn}
objectClass: account
objectClass: posixAccount
uid: {self.name}
cn: {self.name}
uidNumber: {self.uid}
gidNumber: {self.gid}
homeDirectory: {self.home}
loginShell: {self.shell}
userPassword: {self.password}
"""


def add(account: Account) -> None:
    _ldap("ldapadd", account.ldif)


def remove(account: Account) -> None:
    _ldap("ldapmodify", f"dn: {account.dn}\nchangetype: delete\n")


def replace(dn: str, attribute: str, value: str) -> None:
    _ldap("ldapmodify", f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n")


def add_group(name: str, gid: int, members: Iterable[str]) -> None:
    lines = [f"dn: cn={name},{GROUPS}", "objectClass: posixGroup", f"cn: {name}", f"gidNumber: {gid}"]
    _ldap("ldapadd", "\n".join([*lines, *(f"memberUid: {member}" for member in members), ""]))


def remove_group(name: str) -> None:
    _ldap("ldapmodify", f"dn: cn={name},{GROUPS}\nchangetype: delete\n")


Members = Callable[[str, Account], None]


@contextmanager
def members() -> Iterator[Members]:
    """Puts accounts into groups that there are; they are out again afterwards."""
    added = []

    def add(group: str, account: Account) -> None:
        _change_member("add", group, account)
        added.append((group, account))

    yield add
    for group, account in added:
        _change_member("delete", group, account)


def _change_member(change: str, group: str, account: Account) -> None:
    _ldap(
        "ldapmodify", f"dn: cn={group},{GROUPS}\nchangetype: modify\n{change}: memberUid\nmemberUid: {account.name}\n"
    )


def exchange_without(account: Account, attribute: str) -> None:
    """Put an entry without *attribute*, which the schema demands, in the place of the account's.

    slapd takes no such entry; slapadd does when it is told not to check, and may run beside slapd on this database.
    """
    remove(account)
    ldif = "".join(line for line in account.ldif.splitlines(True) if not line.startswith(f"{attribute}:"))
    command = "cd /run/directory && slapadd -s -f slapd.conf"
    kubectl("exec", "--stdin", "deployment/ldap", "--", "sh", "-c", command, stdin=ldif)


def exchange(account: Account) -> None:
    """Put a sound entry in the place of the account's."""
    remove(account)
    add(account)


def _ldap(command: str, ldif: str) -> None:
    kubectl("exec", "--stdin", "deployment/ldap", "--", command, *_ADMINISTRATOR, stdin=ldif)
