"""What the directory says of one person, parsed once.

`parse_account` is the only way from an entry to an `Account`; whatever it returns holds for the
rest of the program, and nothing behind it checks again.  Pure: no I/O.
"""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from ocfspawner.errors import EntryMalformed, NoSuchAccount
from ocfspawner.paths import is_below, is_plain, is_system_path

Entry = Mapping[str, Sequence[bytes]]
"""One directory entry: attribute names in lower case, values as the bytes that came."""

USERNAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
"""Names that fit a line of passwd(5), a path and a label.  The directory's own rule may be narrower."""

_NUMBER = re.compile(rb"[0-9]{1,10}")
_GROUP_NAME = re.compile(r"[^\s:,\x00-\x1f\x7f](?:[^:,\x00-\x1f\x7f]{0,254}[^\s:,\x00-\x1f\x7f])?")


@dataclass(frozen=True, slots=True)
class Attributes:
    """The names under which a directory keeps what we need (RFC 2307 by default)."""

    username: str = "uid"
    uid: str = "uidNumber"
    gid: str = "gidNumber"
    home: str = "homeDirectory"
    shell: str = "loginShell"
    group_name: str = "cn"
    group_gid: str = "gidNumber"


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What an entry must keep to become an `Account`."""

    uid_floor: int = 1000
    """Lowest uid that is a person's."""

    uid_ceiling: int = 2**31 - 1
    """Highest uid; the API server refuses more as runAsUser."""

    denied_uids: frozenset[int] = frozenset({65534})
    """uids that are nobody's: NFS shows strangers' files as 65534."""

    denied_gids: frozenset[int] = frozenset({0, 4, 6, 15, 27, 42, 65534})
    """gids that no pod runs with (root, adm, disk, kmem, sudo, shadow, nogroup).  A primary group
    among them is refused, a supplementary one is left out."""

    denied_groups: frozenset[str] = frozenset()
    """The same by name: the gids of these groups are denied, too."""

    home_prefixes: tuple[str, ...] = ("/home",)
    """Directories below which homes lie."""

    disabled_shells: frozenset[str] = frozenset({"/opt/share/utils/bin/sorried"})
    """Log-in shells that mark a disabled account (OCF: "sorried")."""

    disabled_groups: frozenset[str] = frozenset({"sorry"})
    """Groups, primary ones included, that mark a disabled account."""

    attributes: Attributes = Attributes()

    def __post_init__(self) -> None:
        if not 0 < self.uid_floor <= self.uid_ceiling < 2**31:
            raise ValueError(f"uid range {self.uid_floor}–{self.uid_ceiling} is not within 1–{2**31 - 1}")
        for prefix in self.home_prefixes:
            if not is_plain(prefix) or is_system_path(prefix):
                raise ValueError(f"home prefix {prefix!r}: absolute, normalised and no system path, please")


@dataclass(frozen=True, slots=True)
class Group:
    """A POSIX group."""

    name: str
    gid: int


@dataclass(frozen=True, slots=True)
class Account:
    """One person, as the directory has them."""

    username: str
    """Equal, byte for byte, to the Hub's user name."""

    uid: int
    gid: int
    groups: tuple[Group, ...]
    """The primary group first, then the others by rising gid."""

    home: str
    """Absolute and normalised, below one of the allowed prefixes."""

    shell: str
    """As the directory has it; a pod's image need not have such a file."""

    disabled: str = ""
    """Why the account is disabled; empty when it is not."""

    @property
    def group_names(self) -> frozenset[str]:
        """Names of all groups, the primary one included."""
        return frozenset(group.name for group in self.groups)

    @property
    def supplemental_gids(self) -> tuple[int, ...]:
        """All gids besides the primary one, rising, each once."""
        return tuple(dict.fromkeys(group.gid for group in self.groups if group.gid != self.gid))


def parse_account(username: str, entry: Entry, groups: Iterable[Entry], rules: AccountRules) -> Account:
    """The account that *entry* and *groups* describe.

    *groups* are the entries of the primary group and of every group that has the user as a member,
    in any order.  A primary group without an entry is named after its number, as ``id`` shows it.

    Raises `NoSuchAccount` when the entry's user name differs from *username* in any byte (LDAP compares
    ``uid`` without regard to case, outer spaces and Unicode form), `EntryMalformed` when an attribute is
    missing, repeated or breaks *rules*.
    """
    reader = _Reader(username, entry)
    names = rules.attributes
    _same_name(username, entry.get(names.username.lower(), ()))
    members = {_group(username, group, rules) for group in groups}
    denied = rules.denied_gids | {group.gid for group in members if group.name in rules.denied_groups}
    gid = _gid(reader, names.gid, denied)
    shell = _shell(reader, names.shell)
    return Account(
        username=username,
        uid=_uid(reader, rules),
        gid=gid,
        groups=_in_order(gid, members, denied),
        home=_home(reader, rules),
        shell=shell,
        disabled=_disabled(shell, members, rules),
    )


class _Reader:
    """Reads single values out of an entry; names attribute and user in what it refuses."""

    def __init__(self, username: str, entry: Entry, what: str = "") -> None:
        self.username = username
        self.entry = entry
        self.what = what

    def refuse(self, detail: str) -> EntryMalformed:
        return EntryMalformed(self.username, f"{self.what}{detail}")

    def text(self, attribute: str, default: str | None = None) -> str:
        values = self.entry.get(attribute.lower(), ())
        if not values and default is not None:
            return default
        if len(values) != 1:
            raise self.refuse(f"{attribute} has {len(values)} values, expected one")
        try:
            return values[0].decode("utf-8")
        except UnicodeDecodeError:
            raise self.refuse(f"{attribute} is not UTF-8") from None

    def number(self, attribute: str) -> int:
        text = self.text(attribute)
        if not _NUMBER.fullmatch(text.encode()):
            raise self.refuse(f"{attribute} {text[:32]!r} is not a whole number of at most ten digits")
        return int(text)


def _same_name(username: str, values: Sequence[bytes]) -> None:
    try:
        wanted = username.encode("utf-8")
    except UnicodeEncodeError:
        raise NoSuchAccount(username, "the name is not valid Unicode") from None
    if len(values) > 1 and wanted in values:
        raise EntryMalformed(username, f"{len(values)} user names in one entry would share one home")
    if list(values) != [wanted]:
        raise NoSuchAccount(username, f"the directory spells it {b', '.join(values)[:64]!r}")
    if not re.fullmatch(USERNAME, username):
        raise EntryMalformed(username, "the user name has characters that passwd(5) can't hold")
    if username in ("root", "nobody"):
        raise EntryMalformed(username, "the user name is a system account's in every image")


def _uid(reader: _Reader, rules: AccountRules) -> int:
    attribute = rules.attributes.uid
    uid = reader.number(attribute)
    if not rules.uid_floor <= uid <= rules.uid_ceiling:
        raise reader.refuse(f"{attribute} {uid} is outside {rules.uid_floor}–{rules.uid_ceiling}")
    if uid in rules.denied_uids:
        raise reader.refuse(f"{attribute} {uid} is not a person's")
    return uid


def _gid(reader: _Reader, attribute: str, denied: Set[int]) -> int:
    gid = reader.number(attribute)
    if gid >= 2**31:
        raise reader.refuse(f"{attribute} {gid} is above {2**31 - 1}")
    if gid in denied:
        raise reader.refuse(f"{attribute} {gid} is on the deny-list")
    return gid


def _in_order(gid: int, members: Set[Group], denied: Set[int]) -> tuple[Group, ...]:
    """The groups that the account gets; two names of one gid are both kept, for rules go by name."""
    primary = min((group for group in members if group.gid == gid), key=_by_gid, default=Group(str(gid), gid))
    others = (group for group in members if group != primary and group.gid not in denied)
    return (primary, *sorted(others, key=_by_gid))


def _by_gid(group: Group) -> tuple[int, str]:
    return group.gid, group.name


def _group(username: str, entry: Entry, rules: AccountRules) -> Group:
    names = rules.attributes
    name = _Reader(username, entry, "group: ").text(names.group_name)
    reader = _Reader(username, entry, f"group {name[:64]!r}: ")
    if not _GROUP_NAME.fullmatch(name):
        raise reader.refuse("the name has characters that group(5) can't hold")
    gid = reader.number(names.group_gid)
    if gid >= 2**31:
        raise reader.refuse(f"{names.group_gid} {gid} is above {2**31 - 1}")
    return Group(name, gid)


def _shell(reader: _Reader, attribute: str) -> str:
    shell = reader.text(attribute, default="")
    if len(shell) > 1024:
        raise reader.refuse(f"{attribute} has {len(shell)} characters")
    return shell


def _home(reader: _Reader, rules: AccountRules) -> str:
    attribute = rules.attributes.home
    home = reader.text(attribute)
    if len(home) > 1024 or not is_plain(home):
        raise reader.refuse(f"{attribute} {home[:128]!r} is not an absolute, normalised path of plain characters")
    if not any(is_below(home, prefix) for prefix in rules.home_prefixes):
        raise reader.refuse(f"{attribute} {home[:128]!r} is not below {', '.join(rules.home_prefixes)}")
    return home


def _disabled(shell: str, groups: Iterable[Group], rules: AccountRules) -> str:
    if shell in rules.disabled_shells:
        return f"its shell is {shell}"
    marks = sorted(rules.disabled_groups.intersection(group.name for group in groups))
    return f"it is in group {marks[0]}" if marks else ""
