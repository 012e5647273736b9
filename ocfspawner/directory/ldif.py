"""A directory out of a file: LDIF (RFC 2849), for answers without a server.

What `LDIFDirectory` answers goes through the same `Schema` and the same `parse_account` as a server's entries.
"""

from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from ocfspawner.account import Account, Entry, parse_account
from ocfspawner.directory.client import Answer, Source
from ocfspawner.directory.schema import GroupStyle, Schema
from ocfspawner.errors import ConfigurationError, EntryMalformed, LoginRefused, NoSuchAccount

Found = tuple[str, Entry]
"""A distinguished name and its entry."""


class LDIFDirectory:
    """The people and groups of an LDIF file, answering as a `Directory` does.

    Raises `ConfigurationError`, with file and line, for a file that can't be read or is no LDIF.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self._schema = schema
        self._people: dict[str, list[Found]] = defaultdict(list)
        self._groups_by_gid: dict[bytes, list[Found]] = defaultdict(list)
        self._groups_by_member: dict[bytes, list[Found]] = defaultdict(list)
        self._groups_by_dn: dict[str, list[Found]] = defaultdict(list)
        self._answers: dict[str, Answer] = {}
        people, groups = _normal(schema.people_base), _normal(schema.group_base)
        for dn, entry in read_ldif(path):
            classes = {value.decode("utf-8", "replace").casefold() for value in entry.get("objectclass", ())}
            if schema.person_class.casefold() in classes and _is_within(dn, people):
                self._add_person(dn, entry)
            if schema.group_class.casefold() in classes and _is_within(dn, groups):
                self._add_group(dn, entry)

    async def lookup(self, username: str) -> Answer:
        """See `Directory.lookup`."""
        if username not in self._answers:
            self._answers[username] = Answer(self._account(username), Source.FILE, 0.0)
        return self._answers[username]

    async def authenticate(self, username: str, password: str) -> Account:
        """Nobody logs in by a file."""
        raise LoginRefused(username, "a file has no passwords to ask for")

    async def usernames(self) -> Sequence[str]:
        """See `Directory.usernames`."""
        attribute = self._schema.rules.attributes.username.lower()
        people = (entry for found in self._people.values() for _, entry in found)
        return sorted(value.decode("utf-8", "replace") for entry in people for value in entry[attribute])

    def close(self) -> None:
        """Nothing is kept open."""

    def _account(self, username: str) -> Account:
        # As a server compares: without regard to case and outer spaces. `parse_account` then does by bytes.
        found = self._people.get(username.strip().casefold(), [])
        if not found:
            raise NoSuchAccount(username)
        if len(found) > 1:
            raise EntryMalformed(username, f"{len(found)} entries: {'; '.join(dn for dn, _ in found[:4])}")
        dn, person = found[0]
        groups = [entry for _, entry in self._groups_of(username, dn, person)]
        return parse_account(username, person, groups, self._schema.rules)

    def _add_person(self, dn: str, entry: Entry) -> None:
        for value in entry.get(self._schema.rules.attributes.username.lower(), ()):
            self._people[value.decode("utf-8", "replace").strip().casefold()].append((dn, entry))

    def _add_group(self, dn: str, entry: Entry) -> None:
        self._groups_by_dn[_normal(dn)].append((dn, entry))
        for gid in entry.get(self._schema.rules.attributes.group_gid.lower(), ()):
            self._groups_by_gid[gid].append((dn, entry))
        style = self._schema.group_style
        for member in entry.get(self._schema.member_attribute.lower(), ()):
            name = _normal(member.decode("utf-8", "replace")).encode() if style is GroupStyle.MEMBER else member
            self._groups_by_member[name].append((dn, entry))

    def _groups_of(self, username: str, dn: str, person: Entry) -> Iterator[Found]:
        """The primary group, and those that have the person as a member."""
        gids = person.get(self._schema.rules.attributes.gid.lower(), ())
        for gid in gids:
            yield from self._groups_by_gid.get(gid, ())
        if self._schema.group_style is GroupStyle.MEMBER_UID:
            yield from self._groups_by_member.get(username.encode("utf-8", "replace"), ())
        elif self._schema.group_style is GroupStyle.MEMBER:
            yield from self._groups_by_member.get(_normal(dn).encode(), ())
        for name in self._schema.group_names(person):
            yield from self._groups_by_dn.get(_normal(name.decode("utf-8", "replace")), ())


def read_ldif(path: Path) -> Iterator[Found]:
    """The entries of an LDIF file, attribute names in lower case.

    Raises `ConfigurationError` for what is no content record: changes, values by URL.
    """
    entry: dict[str, list[bytes]] = {}
    dn = ""
    for number, line in _unfolded(path):
        if not line:
            if dn:
                yield dn, entry
            dn, entry = "", {}
            continue
        name, value = _value(path, number, line)
        if dn:
            # Options such as ;lang-en or ;binary don't matter here.
            entry.setdefault(name.partition(";")[0], []).append(value)
        elif name == "dn":
            dn = value.decode("utf-8", "replace")
        elif name != "version":
            raise ConfigurationError(f"{path}:{number}: an entry begins with dn:, not with {name}:")


def _unfolded(path: Path) -> Iterator[tuple[int, bytes]]:
    """Logical lines with the number of their first line; comments are left out."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    number, held = 1, b""
    for at, line in enumerate([*lines, b""], start=1):
        if line.startswith(b" "):
            held += line[1:]
            continue
        if at > 1 and not held.startswith(b"#"):
            yield number, held
        number, held = at, line
    yield number, b""


def _value(path: Path, number: int, line: bytes) -> tuple[str, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name:
        raise ConfigurationError(f"{path}:{number}: not LDIF: {line[:60]!r}")
    if name == b"changetype":
        raise ConfigurationError(f"{path}:{number}: a change; only entries as they are can be read")
    if value.startswith(b":"):
        try:
            value = b64decode(value[1:].strip(), validate=True)
        except ValueError:
            raise ConfigurationError(f"{path}:{number}: not base64") from None
    elif value.startswith(b"<"):
        raise ConfigurationError(f"{path}:{number}: a value that lies elsewhere is not read")
    else:
        value = value.lstrip(b" ")
    return name.decode("ascii", "replace").strip().lower(), value


def _normal(dn: str) -> str:
    return ",".join(part.strip().casefold() for part in dn.split(","))


def _is_within(dn: str, base: str) -> bool:
    normal = _normal(dn)
    return normal == base or normal.endswith(f",{base}")
