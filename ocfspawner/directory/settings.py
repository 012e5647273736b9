"""How to reach a directory and what to ask it: frozen values, checked when they are made.  Pure."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ldap3.utils.conv import escape_filter_chars

from ocfspawner.account import AccountRules


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A directory server."""

    host: str
    port: int = 636

    @classmethod
    def parse(cls, url: str) -> "ServerAddress":
        """From ``ldaps://host[:port]``.  Raises `ValueError`, naming the URL."""
        try:
            parts = urlsplit(url)
            port = parts.port or 636
        except ValueError as error:
            raise ValueError(f"{url!r}: {error}") from None
        if parts.scheme != "ldaps":
            raise ValueError(f"{url!r}: only ldaps:// is spoken; passwords and identities do not travel in clear")
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
            raise ValueError(f"{url!r}: expected ldaps://host or ldaps://host:port")
        return cls(parts.hostname, port)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Credential:
    """Who asks, by simple bind."""

    dn: str
    password_file: Path
    """Read at each bind, so that a changed password needs no restart; its outer white space does not count."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Where people and groups lie, and how they are found (RFC 2307, OCF's tree)."""

    people_base: str = "ou=People,dc=OCF,dc=Berkeley,dc=EDU"
    group_base: str = "ou=Group,dc=OCF,dc=Berkeley,dc=EDU"
    person_class: str = "posixAccount"
    group_class: str = "posixGroup"
    member: str = "memberUid"
    rules: AccountRules = field(default_factory=AccountRules)

    @property
    def person_attributes(self) -> list[str]:
        """What is asked of a person's entry."""
        names = self.rules.attributes
        return [names.username, names.uid, names.gid, names.home, names.shell]

    @property
    def group_attributes(self) -> list[str]:
        """What is asked of a group's entry."""
        return [self.rules.attributes.group_name, self.rules.attributes.group_gid]

    def person_filter(self, username: str) -> str:
        """Finds the entry of *username* (RFC 4515; the name is escaped)."""
        attribute = self.rules.attributes.username
        return f"(&(objectClass={self.person_class})({attribute}={escape_filter_chars(username)}))"

    def group_filter(self, username: str, gid: int) -> str:
        """Finds the groups of *username* and the group numbered *gid*."""
        gid_attribute = self.rules.attributes.group_gid
        member = f"({self.member}={escape_filter_chars(username)})"
        return f"(&(objectClass={self.group_class})(|{member}({gid_attribute}={gid})))"


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """Everything that a `ocfspawner.directory.client.Directory` is made from."""

    servers: tuple[ServerAddress, ...]
    """Asked in this order; the next one when one can't be reached."""

    ca_file: Path | None = None
    """PEM certificates to trust; the system's when ``None``."""

    credential: Credential | None = None
    """Who asks; anonymous when ``None``."""

    connect_timeout: float = 3.0
    """Seconds for a TCP connection."""

    receive_timeout: int = 5
    """Seconds without a byte, TLS handshake included; whole ones, as ldap3 packs them (base.py:326)."""

    deadline: float = 10.0
    """Seconds for a whole look-up or log-in, waiting for a free thread included."""

    threads: int = 4
    """Look-ups at the same time, and kept connections."""

    schema: Schema = field(default_factory=Schema)

    def __post_init__(self) -> None:
        if not self.servers:
            raise ValueError("no directory server is named")
        if min(self.connect_timeout, self.receive_timeout, self.deadline, self.threads) <= 0:
            raise ValueError("timeouts, deadline and threads must be above zero")
