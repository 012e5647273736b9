"""The directory's settings in ``jupyterhub_config.py``: ``c.LDAPDirectory.…``.

One directory serves spawner and authenticator, so it is made once for each process.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from traitlets.config import SingletonConfigurable

from ocfspawner.account import AccountRules, Attributes
from ocfspawner.directory import kerberos
from ocfspawner.directory.client import Accounts, Directory
from ocfspawner.directory.options import ServerOptions
from ocfspawner.directory.schema import PRESETS, GroupStyle, Schema
from ocfspawner.directory.schema_options import SchemaOptions
from ocfspawner.directory.settings import (
    Anonymous,
    CertificateBind,
    Credential,
    DirectorySettings,
    KeytabBind,
    ServerAddress,
    SimpleBind,
    naming_the_setting,
)


class LDAPDirectory(ServerOptions, SchemaOptions, SingletonConfigurable):
    """Where people's accounts are, and how they are asked for.  The defaults are OCF's."""

    _directory: Accounts | None = None

    @property
    def configured(self) -> bool:
        """Whether there is a directory at all."""
        return bool(self.urls) or self._directory is not None

    def directory(self) -> Accounts:
        """The directory; made at the first call.  Raises `ConfigurationError`, naming the setting."""
        if self._directory is None:
            self._directory = Directory(self.settings())
        return self._directory

    def answer_from(self, directory: Accounts) -> None:
        """Take every answer from *directory*, whatever servers are configured."""
        self._directory = directory

    @naming_the_setting
    def settings(self) -> DirectorySettings:
        """All settings, checked."""
        clear_text = self.send_passwords_over_the_network_in_clear_text
        if clear_text:
            self.log.warning("LDAPDirectory sends passwords in clear text, as configured")
        return DirectorySettings(
            servers=tuple(ServerAddress.parse(url, clear_text) for url in self.urls),
            ca_file=_path(self.ca_file),
            credential=self._credential(),
            last_known_good_file=_path(self.last_known_good_file),
            schema=self.schema(),
            **{name: getattr(self, name) for name in _SAME_NAME},
        )

    def _credential(self) -> Credential:
        given = [
            name for name in ("bind_dn", "client_certificate_file", "kerberos_keytab_file") if getattr(self, name)
        ]
        if len(given) > 1:
            raise ValueError(f"choose between {' and '.join(given)}")
        if bool(self.bind_dn) != bool(self.bind_password_file):
            raise ValueError("bind_dn and bind_password_file go together")
        if bool(self.client_certificate_file) != bool(self.client_key_file):
            raise ValueError("client_certificate_file and client_key_file go together")
        if self.kerberos_principal and not self.kerberos_keytab_file:
            raise ValueError("kerberos_principal goes with kerberos_keytab_file")
        if self.bind_dn:
            return SimpleBind(self.bind_dn, Path(self.bind_password_file))
        if self.client_certificate_file:
            return CertificateBind(Path(self.client_certificate_file), Path(self.client_key_file))
        return self._keytab() if self.kerberos_keytab_file else Anonymous()

    def _keytab(self) -> KeytabBind:
        if not kerberos.is_installed():
            raise ValueError("kerberos_keytab_file needs the package gssapi: pip install 'ocfspawner[gssapi]'")
        file = Path(self.kerberos_keytab_file)
        if not os.access(file, os.R_OK):
            raise ValueError(f"kerberos_keytab_file: {file} does not exist, or can't be read")
        return KeytabBind(file, self.kerberos_principal)

    @naming_the_setting
    def schema(self) -> Schema:
        """Where people and groups lie, and who is refused."""
        preset = PRESETS[self.schema_preset]
        return replace(
            preset,
            people_base=self.people_base,
            group_base=self.group_base,
            person_class=self.person_class,
            people_filter=self.people_filter,
            group_class=self.group_class,
            group_style=GroupStyle(self.group_style) if self.group_style else preset.group_style,
            member=self.member_attribute,
            rules=self._rules(),
        )

    def _rules(self) -> AccountRules:
        return AccountRules(
            uid_floor=self.uid_floor,
            uid_ceiling=self.uid_ceiling,
            denied_uids=frozenset(self.denied_uids),
            denied_gids=frozenset(self.denied_gids),
            denied_groups=frozenset(self.denied_groups),
            home_prefixes=tuple(self.home_prefixes),
            disabled_shells=frozenset(self.disabled_shells),
            disabled_groups=frozenset(self.disabled_groups),
            attributes=replace(
                Attributes(),
                username=self.username_attribute,
                uid=self.uid_attribute,
                gid=self.gid_attribute,
                home=self.home_attribute,
                shell=self.shell_attribute,
                group_name=self.group_name_attribute,
                group_gid=self.group_gid_attribute,
            ),
        )


_SAME_NAME = (
    *("connect_timeout", "receive_timeout", "deadline", "retry_failed_server_after", "threads"),
    *("cache_ttl", "negative_cache_ttl", "cache_size", "last_known_good_age"),
)
"""Settings that a trait hands on as they are."""


def _path(name: str) -> Path | None:
    return Path(name) if name else None


def the_directory(parent: Any) -> LDAPDirectory:
    """The directory of this process, configured from *parent*, any object that the Hub configured."""
    return LDAPDirectory.instance(config=parent.config)
