"""What is asked of a directory: where people and groups lie, and how they are found.  Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from ldap3.core.exceptions import LDAPExceptionError
from ldap3.operation.search import parse_filter
from ldap3.utils.conv import escape_filter_chars

from ocfspawner.account import AccountRules, Entry


@dataclass(frozen=True, slots=True)
class Record:
    """What a directory holds of one person: their entry, and those of their groups."""

    person: Entry
    groups: tuple[Entry, ...]


class GroupStyle(Enum):
    """How a directory says who is in a group."""

    MEMBER_UID = "memberUid"
    """The group holds user names (RFC 2307; OCF)."""

    MEMBER = "member"
    """The group holds distinguished names (RFC 2307bis, groupOfNames)."""

    MEMBER_OF = "memberOf"
    """The person holds the groups' distinguished names (Active Directory, OpenLDAP's memberof overlay)."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Where people and groups lie, and how they are found.  The defaults are OCF's tree, RFC 2307."""

    people_base: str = "ou=People,dc=OCF,dc=Berkeley,dc=EDU"
    group_base: str = "ou=Group,dc=OCF,dc=Berkeley,dc=EDU"
    person_class: str = "posixAccount"
    people_filter: str = ""
    """What a person's entry must match besides (RFC 4515); empty for nothing."""

    group_class: str = "posixGroup"
    group_style: GroupStyle = GroupStyle.MEMBER_UID
    member: str = ""
    """Attribute that holds the membership; empty means as `group_style` is named."""

    rules: AccountRules = field(default_factory=AccountRules)

    def __post_init__(self) -> None:
        if not self.people_filter:
            return
        try:
            parse_filter(
                self.people_filter, None, auto_escape=False, auto_encode=False, validator=None, check_names=False
            )
        except LDAPExceptionError as error:
            raise ValueError(f"people_filter {self.people_filter!r}: {error}") from None

    @property
    def everybody_filter(self) -> str:
        """Finds all people."""
        return f"(&(objectClass={self.person_class})({self.rules.attributes.username}=*){self.people_filter})"

    @property
    def member_attribute(self) -> str:
        """The attribute that holds the membership."""
        return self.member or self.group_style.value

    @property
    def person_attributes(self) -> list[str]:
        """What is asked of a person's entry."""
        names = self.rules.attributes
        wanted = [names.username, names.uid, names.gid, names.home, names.shell]
        return [*wanted, self.member_attribute] if self.group_style is GroupStyle.MEMBER_OF else wanted

    @property
    def group_attributes(self) -> list[str]:
        """What is asked of a group's entry."""
        return [self.rules.attributes.group_name, self.rules.attributes.group_gid]

    def person_filter(self, username: str) -> str:
        """Finds the entry of *username* (RFC 4515; the name is escaped).

        Raises `UnicodeEncodeError` for a name that no directory can hold.
        """
        attribute = self.rules.attributes.username
        name = f"({attribute}={escape_filter_chars(username)})"
        search_filter = f"(&(objectClass={self.person_class}){name}{self.people_filter})"
        search_filter.encode("utf-8")
        return search_filter

    def group_filter(self, username: str, dn: str, person: Entry) -> str:
        """Finds the primary group of *person* and, but for `GroupStyle.MEMBER_OF`, the groups they are in."""
        wanted = [f"({self.rules.attributes.group_gid}={_plain_number(self._gid(person))})"]
        if self.group_style is GroupStyle.MEMBER_UID:
            wanted.append(f"({self.member_attribute}={escape_filter_chars(username)})")
        elif self.group_style is GroupStyle.MEMBER:
            wanted.append(f"({self.member_attribute}={escape_filter_chars(dn)})")
        return f"(&(objectClass={self.group_class})(|{''.join(wanted)}))"

    def group_names(self, person: Entry) -> Sequence[bytes]:
        """The distinguished names of groups that *person*'s own entry holds; none but for `GroupStyle.MEMBER_OF`."""
        if self.group_style is not GroupStyle.MEMBER_OF:
            return ()
        return person.get(self.member_attribute.lower(), ())

    def _gid(self, person: Entry) -> Sequence[bytes]:
        return person.get(self.rules.attributes.gid.lower(), ())


def _plain_number(values: Sequence[bytes]) -> int:
    """The number to ask for; 0, which is no person's group, when the entry will be refused anyway."""
    return int(values[0]) if len(values) == 1 and values[0].isdigit() and len(values[0]) < 11 else 0


PRESETS = {
    "rfc2307": Schema(),
    "rfc2307bis": Schema(group_style=GroupStyle.MEMBER),
}
"""Schemas by name, to start from."""
