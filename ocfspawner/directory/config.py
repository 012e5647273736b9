"""The directory's settings in ``jupyterhub_config.py``: ``c.LDAPDirectory.…``.

One directory serves spawner and authenticator, so it is made once for each process.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from traitlets import Float, Int, List, Set, Unicode
from traitlets.config import SingletonConfigurable

from ocfspawner.account import AccountRules, Attributes
from ocfspawner.directory.client import Directory
from ocfspawner.directory.settings import Credential, DirectorySettings, Schema, ServerAddress
from ocfspawner.errors import ConfigurationError

_RULES = AccountRules()
_NAMES = Attributes()
_SCHEMA = Schema()
_T = TypeVar("_T")


class LDAPDirectory(SingletonConfigurable):
    """Where people's accounts are, and how they are asked for.  The defaults are OCF's."""

    urls: List[str] = List(
        Unicode(),
        help="""Directory servers, as ldaps://host or ldaps://host:port, asked in this order.

        Empty, the default, means no directory: OCFSpawner then behaves as KubeSpawner does.
        """,
    ).tag(config=True)
    ca_file = Unicode(
        help="""PEM file with the certificate authorities to trust.  Default: those of the system.

        Set it when the directory's certificate is signed by an authority of your own.  Servers are always
        verified; a certificate that is not trusted, or is for another name, counts as an outage.
        """,
    ).tag(config=True)
    bind_dn = Unicode(
        help="""Distinguished name to ask as.  Default: anonymous, as OCF's directory allows over TLS.""",
    ).tag(config=True)
    bind_password_file = Unicode(
        help="""File with the password of bind_dn; its outer white space does not count.""",
    ).tag(config=True)
    connect_timeout = Float(3.0, help="Seconds for a connection to one server.").tag(config=True)
    receive_timeout = Int(
        5,
        help="""Whole seconds without a byte from the server, after which the next one is asked.""",
    ).tag(config=True)
    deadline = Float(
        10.0,
        help="""Seconds for a whole look-up or log-in, all servers and waiting for a free thread included.

        Keep it below Spawner.start_timeout, or people read of a slow server instead of the directory.
        """,
    ).tag(config=True)
    threads = Int(
        4,
        help="""Look-ups at the same time, and so the connections kept open.  A look-up takes a few
        milliseconds: raise it only for a slow directory.""",
    ).tag(config=True)

    people_base = Unicode(_SCHEMA.people_base, help="Base below which people's entries lie.").tag(config=True)
    group_base = Unicode(_SCHEMA.group_base, help="Base below which groups lie.").tag(config=True)
    person_class = Unicode(_SCHEMA.person_class, help="Object class of people's entries.").tag(config=True)
    group_class = Unicode(_SCHEMA.group_class, help="Object class of groups.").tag(config=True)
    member_attribute = Unicode(
        _SCHEMA.member, help="Attribute of a group that holds its members' user names (RFC 2307)."
    ).tag(config=True)
    username_attribute = Unicode(
        _NAMES.username, help="Attribute with the user name; it must equal the Hub's, byte for byte."
    ).tag(config=True)
    uid_attribute = Unicode(_NAMES.uid, help="Attribute with the numeric user id.").tag(config=True)
    gid_attribute = Unicode(_NAMES.gid, help="Attribute with the numeric id of the primary group.").tag(config=True)
    home_attribute = Unicode(_NAMES.home, help="Attribute with the home directory's path.").tag(config=True)
    shell_attribute = Unicode(_NAMES.shell, help="Attribute with the log-in shell.").tag(config=True)

    uid_floor = Int(
        _RULES.uid_floor,
        help="""Lowest uid that is a person's.  Lower it only if people have lower ones, and never to 0: a file
        server trusts the uid it is told.""",
    ).tag(config=True)
    uid_ceiling = Int(
        _RULES.uid_ceiling, help="Highest uid that is a person's; Kubernetes takes none above 2147483647."
    ).tag(config=True)
    denied_uids = Set(Int(), _RULES.denied_uids, help="uids between floor and ceiling that are nobody's.").tag(
        config=True
    )
    denied_gids = Set(
        Int(),
        _RULES.denied_gids,
        help="""gids that no server runs with.  An account with one of them as its primary group is refused; as
        a supplementary group it is left out.""",
    ).tag(config=True)
    home_prefixes: List[str] = List(
        Unicode(),
        list(_RULES.home_prefixes),
        help="""Directories below which homes lie.  An account with a home elsewhere is refused.""",
    ).tag(config=True)
    disabled_shells = Set(
        Unicode(), _RULES.disabled_shells, help="Log-in shells that mark a disabled account (OCF: sorried)."
    ).tag(config=True)
    disabled_groups = Set(
        Unicode(), _RULES.disabled_groups, help="Groups, primary or not, that mark a disabled account."
    ).tag(config=True)

    _directory: Directory | None = None

    @property
    def configured(self) -> bool:
        """Whether there is a directory at all."""
        return bool(self.urls)

    def directory(self) -> Directory:
        """The directory; made at the first call.  Raises `ConfigurationError`, naming the setting."""
        if self._directory is None:
            self._directory = Directory(_checked(self._settings))
        return self._directory

    def _settings(self) -> DirectorySettings:
        return DirectorySettings(
            servers=tuple(ServerAddress.parse(url) for url in self.urls),
            ca_file=Path(self.ca_file) if self.ca_file else None,
            credential=self._credential(),
            connect_timeout=self.connect_timeout,
            receive_timeout=self.receive_timeout,
            deadline=self.deadline,
            threads=self.threads,
            schema=self._schema(),
        )

    def _credential(self) -> Credential | None:
        if bool(self.bind_dn) != bool(self.bind_password_file):
            raise ValueError("bind_dn and bind_password_file go together: a name without a password binds as nobody")
        return Credential(self.bind_dn, Path(self.bind_password_file)) if self.bind_dn else None

    def _schema(self) -> Schema:
        return Schema(
            people_base=self.people_base,
            group_base=self.group_base,
            person_class=self.person_class,
            group_class=self.group_class,
            member=self.member_attribute,
            rules=AccountRules(
                uid_floor=self.uid_floor,
                uid_ceiling=self.uid_ceiling,
                denied_uids=frozenset(self.denied_uids),
                denied_gids=frozenset(self.denied_gids),
                home_prefixes=tuple(self.home_prefixes),
                disabled_shells=frozenset(self.disabled_shells),
                disabled_groups=frozenset(self.disabled_groups),
                attributes=Attributes(
                    username=self.username_attribute,
                    uid=self.uid_attribute,
                    gid=self.gid_attribute,
                    home=self.home_attribute,
                    shell=self.shell_attribute,
                ),
            ),
        )


def _checked(make: Callable[[], _T]) -> _T:
    try:
        return make()
    except ValueError as error:
        raise ConfigurationError(f"LDAPDirectory: {error}") from None


def the_directory(parent: Any) -> LDAPDirectory:
    """The directory of this process, configured from *parent*, any object that the Hub configured."""
    return LDAPDirectory.instance(config=parent.config)
