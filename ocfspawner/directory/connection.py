"""One connection to one directory server: the only place that speaks LDAP.

Everything here blocks, and is called from the client's own threads.  Every result code is looked at:
ldap3's ``raise_exceptions`` is off by default, and even on, it lets sizeLimitExceeded, timeLimitExceeded
and referral pass.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPStartTLSError
from ldap3.protocol.sasl.sasl import send_sasl_negotiation

from ocfspawner.account import Entry
from ocfspawner.directory.kerberos import KerberosFailed, Negotiation, Tickets
from ocfspawner.directory.settings import (
    CertificateBind,
    DirectorySettings,
    KeytabBind,
    Security,
    ServerAddress,
    SimpleBind,
)
from ocfspawner.directory.tls import VerifyingTls, channel_bindings
from ocfspawner.errors import DirectoryFailed, DirectoryUnreachable, DirectoryUntrusted

_SUCCESS, _SASL_GOES_ON, _INVALID_CREDENTIALS, _BUSY, _UNAVAILABLE = 0, 14, 49, 51, 52
"""RFC 4511, appendix A.1."""

_READ_SIZE = 64 * 1024
"""ldap3 appends each read to what it has, so its default of 4 KiB makes a large answer quadratic."""

_PAGE, _PAGED_RESULTS = 500, "1.2.840.113556.1.4.319"
"""Entries in a page, and the control of RFC 2696 that asks for it."""

Found = tuple[str, Entry]
"""A distinguished name and its entry."""


class ConnectionLost(Exception):
    """The connection broke in use, or its server sends us away: worth a try elsewhere."""

    def __init__(self, detail: str, silent: bool = False) -> None:
        super().__init__(detail)
        self.silent = silent
        """Whether the server let its time pass, rather than closing the connection: the next try may end so too."""


class CredentialRefused(DirectoryUnreachable):
    """The server does not accept who asks; asking again and again would lock the account."""


class _OfferRefused(Exception):
    """The server does not speak StartTLS, or somebody in between says so."""


class ServerConnection:
    """A connection to one server.

    `open` and `bind` raise `DirectoryUnreachable` or `DirectoryUntrusted` when the server can't be had; later
    operations raise `ConnectionLost` when it goes away, `DirectoryFailed` for an answer that is an error.
    """

    def __init__(self, address: ServerAddress, settings: DirectorySettings, tickets: Tickets | None = None) -> None:
        self.address = address
        self._settings = settings
        self._tickets = tickets or Tickets()
        self._negotiation: Negotiation | None = None
        self._aborted = False
        with self._unreachable_without_answer():
            self._tls = None if address.security is Security.NONE else VerifyingTls(address.host, settings)
            self._ldap = _unopened(address, settings, self._tls)

    def open(self) -> None:
        """Connect, and verify the server."""
        with self._unreachable_without_answer():
            self._ldap.open(read_server_info=False)
            if self._aborted:
                raise TimeoutError("the deadline has passed")
            if self.address.security is Security.STARTTLS:
                self._start_tls()

    def _start_tls(self) -> None:
        with contextlib.suppress(LDAPStartTLSError):
            self._ldap.start_tls(read_server_info=False)
            # It has ways to return without (ldap3 2.9.1, tls.py:220); nothing may be said on such a connection.
            if isinstance(self._ldap.socket, ssl.SSLSocket):
                return
        refused = (self._ldap.result or {}).get("result", _SUCCESS) != _SUCCESS
        raise _OfferRefused("no StartTLS") if refused else OSError(str(self._ldap.last_error))

    def bind(self) -> None:
        """Bind as the one who asks; nothing to do for nobody, which a new connection is (RFC 4513, 4)."""
        credential = self._settings.credential
        with self._unreachable_without_answer():
            if isinstance(credential, SimpleBind):
                password = credential.password_file.read_text(encoding="utf-8").strip()
                if not self.accepts(credential.dn, password):
                    raise CredentialRefused(
                        f"{self.address}: {credential.dn} is refused with the password in {credential.password_file}"
                    )
            elif isinstance(credential, CertificateBind):
                # Empty, which is "as the certificate says"; with none, the server would wait for them (RFC 4422, A).
                self._ldap.sasl_credentials = ""
                self._ldap.rebind(authentication=ldap3.SASL, sasl_mechanism=ldap3.EXTERNAL, read_server_info=False)
                self._check_result("bind by certificate")
            elif isinstance(credential, KeytabBind):
                self._bind_by_ticket(credential)

    def _bind_by_ticket(self, credential: KeytabBind) -> None:
        kept = self._tickets.get(credential, self.address.host)
        self._tickets.put(credential, self.address.host, "")
        bindings = channel_bindings(self._ldap.socket)
        try:
            with Negotiation(credential, self.address.host, bindings, kept, self._settings.receive_timeout) as said:
                self._negotiation = said
                if self._aborted:
                    raise TimeoutError("the deadline has passed")
                self._negotiate(said)
        except KerberosFailed as error:
            # A ticket that was kept is not good any more when the server has a new key: the next try is without.
            kind = DirectoryUnreachable if kept or error.passing else CredentialRefused
            raise kind(f"{self.address}: {error}") from error
        self._tickets.put(credential, self.address.host, said.ticket)

    def _negotiate(self, said: Negotiation) -> None:
        self._ldap.sasl_mechanism = ldap3.GSSAPI
        token = said.begin()
        while True:
            send_sasl_negotiation(self._ldap, None, token)
            result = self._ldap.result
            if result["type"] != "bindResponse" or result["result"] != _SASL_GOES_ON:
                break
            token = said.go_on(result["saslCreds"] or b"")
        if result["result"] == _INVALID_CREDENTIALS:
            raise KerberosFailed(f"the server does not take the ticket: {result['message'][:200]}", passing=False)
        self._check_result("bind by ticket")
        if not said.finished:
            raise KerberosFailed("the server did not show who it is", passing=False)

    def accepts(self, dn: str, password: str) -> bool:
        """Whether the server accepts *dn* with *password*, by binding as it.

        Neither may be empty: RFC 4513, 5.1.2, would make that a bind as nobody, which succeeds.
        """
        if not dn or not password:
            return False
        try:
            # Bytes are sent as they are.  Text would be prepared (RFC 4013): changed, or refused by an exception.
            secret = password.encode()
        except UnicodeEncodeError:
            return False
        with self._lost_when_broken():
            self._ldap.rebind(user=dn, password=secret, read_server_info=False)
            refused = self._ldap.result["result"] == _INVALID_CREDENTIALS
        if not refused:
            self._check_result("bind")
        return not refused

    def search(self, base: str, search_filter: str, attributes: list[str], only_base: bool = False) -> list[Found]:
        """All entries below *base* that match, or *base* itself; `DirectoryFailed` for any answer that is not all."""
        return self._search(base, search_filter, attributes, search_scope=ldap3.BASE if only_base else ldap3.SUBTREE)

    def search_all(self, base: str, search_filter: str, attributes: list[str]) -> Iterator[Found]:
        """The same for answers of any size, asked page by page (RFC 2696)."""
        cookie: bytes | None = None
        while cookie is None or cookie:
            yield from self._search(base, search_filter, attributes, paged_size=_PAGE, paged_cookie=cookie)
            controls = self._ldap.result.get("controls") or {}
            # A server without pages has sent all.
            cookie = controls.get(_PAGED_RESULTS, {}).get("value", {}).get("cookie", b"")

    def _search(self, base: str, search_filter: str, attributes: list[str], **arguments: Any) -> list[Found]:
        with self._lost_when_broken():
            self._ldap.search(
                base,
                search_filter,
                dereference_aliases=ldap3.DEREF_NEVER,
                attributes=attributes,
                time_limit=self._settings.receive_timeout,
                **arguments,
            )
        self._check_result(f"search below {base}", "searchResDone")
        return [_found(item) for item in self._ldap.response if self._is_entry(item, base)]

    @property
    def certificate_days(self) -> int | None:
        """Days for which the server's certificate is still valid; ``None`` without TLS."""
        if self.address.security is Security.NONE:
            return None
        until = ssl.cert_time_to_seconds(self._ldap.socket.getpeercert()["notAfter"])
        return int((until - time.time()) // 86400)

    def abort(self) -> None:
        """End whatever this connection is waiting for; callable from another thread, and never blocks."""
        # For a name that is being resolved there is no socket yet: it ends as soon as there is one.
        self._aborted = True
        if self._tls:
            self._tls.aborted = True
        if self._negotiation:
            self._negotiation.kill()
        connection = self._ldap.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                # The plain socket's own method: SSLSocket.shutdown would pull its state from under the reader.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close without ceremony; an unbind request could block."""
        connection = self._ldap.socket
        if connection is not None:
            self.abort()
            with contextlib.suppress(OSError):
                connection.close()

    def _is_entry(self, item: dict[str, Any], base: str) -> bool:
        if item["type"] == "searchResRef":
            raise DirectoryFailed(f"{self.address}: search below {base}: part of it lies on another server")
        return bool(item["type"] == "searchResEntry")

    def _check_result(self, operation: str, expected: str = "bindResponse") -> None:
        with self._lost_when_broken():
            if self._ldap.result["type"] != expected:
                raise ValueError(f"{operation}: answered by {self._ldap.result['type']}")
            code, name, said = (self._ldap.result[key] for key in ("result", "description", "message"))
            detail = f"{self.address}: {operation}: {name} ({code}) {said[:200]}".strip()
        if code in (_BUSY, _UNAVAILABLE):
            raise ConnectionLost(detail)
        if code != _SUCCESS:
            raise DirectoryFailed(detail)

    @contextlib.contextmanager
    def _unreachable_without_answer(self) -> Iterator[None]:
        try:
            yield
        except DirectoryUnreachable:
            raise
        except Exception as error:
            # Everything: ldap3 decodes without looking, see `_lost_when_broken`.
            untrusted = isinstance(error, _OfferRefused) or "CERTIFICATE_VERIFY_FAILED" in str(error)
            kind = DirectoryUntrusted if untrusted else DirectoryUnreachable
            raise kind(f"{self.address}: {str(error)[:300] or type(error).__name__}") from error

    @contextlib.contextmanager
    def _lost_when_broken(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # ldap3 decodes without looking: what is not LDAP ends in an IndexError, a KeyError, ...; and on a
            # connection that broke its socket is None.
            silent = "timed out" in str(error)
            raise ConnectionLost(f"{self.address}: {type(error).__name__}: {str(error)[:300]}", silent) from error


def _unopened(address: ServerAddress, settings: DirectorySettings, tls: VerifyingTls | None) -> Any:
    server = ldap3.Server(
        address.host,
        port=address.port,
        use_ssl=address.security is Security.TLS,
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=settings.connect_timeout,
        allowed_referral_hosts=[],
    )
    connection = ldap3.Connection(
        server,
        client_strategy=ldap3.SYNC,
        receive_timeout=settings.receive_timeout,
        # Following a referral would take our credential to a host that the referral names.
        auto_referrals=False,
        check_names=False,
        read_only=True,
    )
    connection.strategy.socket_size = _READ_SIZE
    return connection


def _found(item: dict[str, Any]) -> Found:
    return item["dn"], {name.lower(): tuple(values) for name, values in item["raw_attributes"].items()}
