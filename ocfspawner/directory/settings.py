"""How to reach a directory: frozen values, checked when they are made.  Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from ocfspawner.directory.schema import Schema
from ocfspawner.errors import ConfigurationError


class Security(Enum):
    """How a connection is protected."""

    TLS = "ldaps"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A directory server."""

    host: str
    port: int
    security: Security = Security.TLS

    @classmethod
    def parse(cls, url: str, clear_text: bool = False) -> "ServerAddress":
        """From ``ldaps://host[:port]``, or ``ldap://host[:port]``, which means StartTLS.

        Only with *clear_text* does ``ldap://`` mean no protection.  Raises `ValueError`, naming the URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{url!r}: {error}") from None
        if parts.scheme not in ("ldap", "ldaps"):
            raise ValueError(f"{url!r}: expected ldaps://host, or ldap://host for StartTLS")
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
            raise ValueError(f"{url!r}: expected a host and perhaps a port, nothing else")
        if parts.scheme == "ldaps":
            return cls(parts.hostname, port or 636)
        return cls(parts.hostname, port or 389, Security.NONE if clear_text else Security.STARTTLS)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Ask as nobody."""


@dataclass(frozen=True, slots=True)
class SimpleBind:
    """Ask by name and password."""

    dn: str
    password_file: Path
    """Read at each bind, so that a changed password needs no restart; its outer white space does not count."""

    def __post_init__(self) -> None:
        if not self.dn:
            raise ValueError("a bind without a name is a bind as nobody")


@dataclass(frozen=True, slots=True)
class CertificateBind:
    """Ask by client certificate: SASL EXTERNAL (RFC 4422, appendix A) over TLS."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True)
class KeytabBind:
    """Ask by a Kerberos ticket: SASL GSSAPI (RFC 4752)."""

    keytab_file: Path
    """Tickets are got with it when they are needed."""

    principal: str = ""
    """Whose; empty for the first one of the keytab."""


Credential = Anonymous | SimpleBind | CertificateBind | KeytabBind


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """Everything that an `ocfspawner.directory.client.Directory` is made from.  Times are in seconds."""

    servers: tuple[ServerAddress, ...]
    """Asked in this order; the next one when one can't be reached."""

    ca_file: Path | None = None
    """PEM certificates to trust; the system's when ``None``."""

    credential: Credential = Anonymous()

    connect_timeout: float = 3.0
    """For a TCP connection."""

    receive_timeout: int = 5
    """Without a byte, TLS handshake included; whole seconds, as ldap3 packs them (ldap3 2.9.1, base.py:326)."""

    deadline: float = 10.0
    """For a whole look-up or log-in: waiting for a thread, every server, every retry."""

    retry_failed_server_after: float = 30.0
    """How long a server that failed is passed over while another one answers."""

    threads: int = 4
    """Look-ups at the same time, and kept connections."""

    cache_ttl: float = 30.0
    """How long an account is answered from memory; 0 for never."""

    negative_cache_ttl: float = 3.0
    """How long "no such account" and "disabled" are; shorter, because people ask again after a repair."""

    cache_size: int = 10_000
    """Names remembered."""

    last_known_good_file: Path | None = None
    """Where good answers are kept for an outage; ``None`` for nowhere."""

    last_known_good_age: float = 7 * 24 * 3600.0
    """How old an answer may be that is used in an outage."""

    schema: Schema = field(default_factory=Schema)

    def __post_init__(self) -> None:
        if not self.servers:
            raise ValueError("no directory server is named")
        if min(self.connect_timeout, self.receive_timeout, self.deadline, self.threads, self.cache_size) <= 0:
            raise ValueError("timeouts, deadline, threads and cache size must be above zero")
        if isinstance(self.credential, CertificateBind) and any(
            server.security is Security.NONE for server in self.servers
        ):
            raise ValueError("a client certificate needs TLS with every server")


_S = TypeVar("_S")
_T = TypeVar("_T")


def naming_the_setting(make: Callable[[_S], _T]) -> Callable[[_S], _T]:
    """*make*, whose `ValueError` becomes a `ConfigurationError`."""

    def checked(self: _S) -> _T:
        try:
            return make(self)
        except ValueError as error:
            raise ConfigurationError(f"LDAPDirectory: {error}") from None

    return checked
